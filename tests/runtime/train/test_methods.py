"""Every method trains a small model for real, gets better at what it is for, and what it wrote
answers as what was trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from trainer_builders import lay_out, train_plan
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from martlet_api.training import ROWS_OF, Reward, Tuner
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report
from martlet_runtime.train import flow
from martlet_runtime.train.methods import METHODS

pytestmark = pytest.mark.torch

STEPS = 8
ANSWERED = {"max_completion_length": 6, "temperature": 2.0}
WITHOUT_A = Reward(type="Format", pattern="[^a]*")
"""Half of the answers that a hot model gives; a property that it can learn in a few steps."""

REWARDED = {
    "better": ("reward", 1),
    "params": {**ANSWERED, "num_generations": 4},
    "rewards": [WITHOUT_A],
    "steps": 12,
}
CASES: dict[str, dict[str, Any]] = {
    "PT": {"better": ("loss", -1)},
    "SFT": {"better": ("loss", -1)},
    "DPO": {"better": ("rewards/margins", 1)},
    "SimPO": {"better": ("rewards/margins", 1)},
    "ORPO": {"better": ("loss", -1)},
    "KTO": {"better": ("loss", -1), "steps": 12},
    "CPO": {"better": ("loss", -1)},
    "RM": {"better": ("loss", -1)},
    "GRPO": REWARDED,
    "RLOO": REWARDED,
    "OnlineDPO": {
        "better": ("objective/scores", 1),
        "params": {"max_completion_length": 3, "temperature": 1.0, "learning_rate": 1e-2},
        "rewards": [WITHOUT_A],
        "steps": 20,
    },
    "GKD": {"better": ("loss", -1), "params": {"lmbda": 0}},
}


def rows_of(method: str, village: Path) -> list[dict[str, Any]]:
    """The village's questions in the shape that the method learns from."""
    known = [json.loads(line) for line in (village / "train.jsonl").read_text().splitlines()][:64]
    pairs = [(row["messages"][0]["content"], row["messages"][1]["content"]) for row in known]
    others = [answer for _, answer in pairs[1:]] + [pairs[0][1]]
    rows = zip(pairs, others, strict=True)
    match ROWS_OF[method]:
        case "LanguageModeling":
            return [{"text": f"{question} {answer}"} for question, answer in pairs]
        case "Conversation" | "PromptOnly":
            return [{"query": question, "response": answer} for question, answer in pairs]
        case "Preference":
            return [
                {"query": q, "response": a, "rejected_response": f"{other} {other}"}
                for (q, a), other in rows
            ]
        case _:
            return [
                {"query": q, "response": text, "label": label}
                for (q, a), other in rows
                for text, label in ((a, True), (f"{other} {other}", False))
            ]


def prepared(root: Path, village: Path, method: str) -> Paths:
    paths = lay_out(root, village)
    data = root / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows_of(method, village)))
    (paths.inputs / "dataset-0").unlink()
    (paths.inputs / "dataset-0").symlink_to(data)
    if method == "GKD":
        make_teacher(village / "base", paths.inputs / "teacher")
    return paths


def make_teacher(base: Path, folder: Path) -> None:
    """The base with other weights, so that there is something to learn from it."""
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(torch.randn_like(weights) * weights.std() * 0.3)
    model.save_pretrained(folder)


class Kept:
    """The trainer of a run, for what it logged and what it trained."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trainer: Any = None
        watch = flow.finite.watch

        def keep(trainer: Any) -> None:
            self.trainer = trainer
            watch(trainer)

        monkeypatch.setattr(flow.finite, "watch", keep)

    def logged(self, name: str) -> list[float]:
        return [line[name] for line in self.trainer.state.log_history if name in line]


def outputs(model: Any, tokenizer: Any) -> torch.Tensor:
    """Logits, or a reward model's number, of one question."""
    model.eval()
    ids = tokenizer("Where does zati live ?", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return torch.as_tensor(model(input_ids=ids, use_cache=False).logits)


@pytest.mark.parametrize("method", CASES)
def test_it_gets_better_and_what_it_wrote_is_what_it_trained(
    method: str, village: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, kept, paths = CASES[method], Kept(monkeypatch), prepared(tmp_path, village, method)
    monkeypatch.setattr("martlet_runtime.train.task._LOGGING_STEPS", 1)
    params = {"max_steps": case.get("steps", STEPS), **case.get("params", {})}
    plan = train_plan(
        method.lower(), method=method, hyperparameters=params, rewards=case.get("rewards", [])
    )
    ended = flow.run(plan, paths, Report())
    assert ended.train is not None
    assert ended.train.steps == params["max_steps"]
    name, sign = case["better"]
    logged = kept.logged(name)
    third = len(logged) // 3
    gained = sign * (sum(logged[-third:]) - sum(logged[:third])) / third
    assert gained > 0, logged

    load: Any = AutoModelForSequenceClassification if METHODS[method].head else AutoModelForCausalLM
    more = {"num_labels": 1} if METHODS[method].head else {}
    tokenizer = AutoTokenizer.from_pretrained(village / "base")
    base = load.from_pretrained(village / "base", dtype=torch.float32, **more)
    loaded = PeftModel.from_pretrained(base, paths.of_claim(ended.train.artifact.uri))
    wanted = outputs(kept.trainer.model, tokenizer)
    torch.testing.assert_close(outputs(loaded, tokenizer), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("method", ["DPO", "KTO", "GRPO", "OnlineDPO"])
def test_a_whole_model_is_held_to_what_it_was(
    method: str, village: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference is a model of its own, which does not learn."""
    kept, paths, case = Kept(monkeypatch), prepared(tmp_path, village, method), CASES[method]
    params = {**case.get("params", {}), "max_steps": 2, "learning_rate": 1e-3}
    plan = train_plan(
        method.lower(),
        method=method,
        tuner=Tuner(type="Full"),
        hyperparameters=params,
        rewards=case.get("rewards", []),
    )
    ended = flow.run(plan, paths, Report())
    assert ended.train is not None
    assert ended.train.artifact.format == "safetensors"
    base = AutoModelForCausalLM.from_pretrained(village / "base", dtype=torch.float32)
    was, learnt = base.state_dict(), kept.trainer.model.state_dict()
    reference = kept.trainer.ref_model.state_dict()
    name = "model.layers.0.mlp.up_proj.weight"
    torch.testing.assert_close(reference[name], was[name])
    assert not torch.equal(learnt[name], was[name])


def test_gkd_learns_on_answers_of_its_own(
    village: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("martlet_runtime.train.task._LOGGING_STEPS", 1)
    kept, paths = Kept(monkeypatch), prepared(tmp_path, village, "GKD")
    params = {"max_steps": 15, "lmbda": 1, "max_completion_length": 6, "learning_rate": 2e-3}
    flow.run(train_plan("gkd", method="GKD", hyperparameters=params), paths, Report())
    losses = kept.logged("loss")
    assert sum(losses[-5:]) < sum(losses[:5]), losses


def test_every_method_has_its_case() -> None:
    assert set(CASES) == set(METHODS) == set(ROWS_OF)
