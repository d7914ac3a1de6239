"""Real training of a small model: what is learnt, what is written, what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from prometheus_client import CollectorRegistry
from safetensors.torch import load_file
from trainer_builders import BASE, LORA, train_plan, village_rows
from transformers import AutoModelForCausalLM, AutoTokenizer

from martlet_api import contract
from martlet_api.conditions import Reason
from martlet_api.contract import Plan, Termination
from martlet_api.finetunejob import Validation
from martlet_api.training import Tuner
from martlet_runtime.data.mixing import split
from martlet_runtime.errors import UserError
from martlet_runtime.loading import load_model
from martlet_runtime.paths import Paths
from martlet_runtime.rendering import render
from martlet_runtime.report import Report
from martlet_runtime.train import flow

pytestmark = pytest.mark.torch

FULL = Tuner(type="Full")
LENGTH = 64
Pod = Callable[..., Paths]


def plan(tuner: Tuner, *, name: str, epochs: float = 3, lr: float = 5e-3, **more: Any) -> Plan:
    params = {"epochs": epochs, "learning_rate": lr, "micro_batch_size": 16, "max_length": LENGTH}
    return train_plan(name, tuner=tuner, hyperparameters=params, precision="Auto", **more)


def gauges(registry: CollectorRegistry) -> dict[str, float]:
    return {s.name: s.value for family in registry.collect() for s in family.samples}


@torch.no_grad()
def loss_of(model: Any, tokenizer: Any, rows: list[dict[str, Any]]) -> float:
    """Mean over the learnt tokens of all rows, one row at a time."""
    model.eval()
    total, count = 0.0, 0
    for row in rows:
        rendered = render(tokenizer, row["messages"], LENGTH)
        logits = model(input_ids=torch.tensor([rendered["input_ids"]])).logits[0, :-1]
        labels = torch.tensor(rendered["labels"])[1:]
        chosen = labels != -100
        probabilities = torch.log_softmax(logits[chosen].double(), -1)
        total -= probabilities.gather(1, labels[chosen, None]).sum().item()
        count += int(chosen.sum())
    return total / count


def base_of(village: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(village / "base", dtype=torch.float32)


class Trained:
    """One LoRA run, which several tests look at."""

    def __init__(self, village: Path, paths: Paths) -> None:
        self.paths, report = paths, Report()
        self.plan = plan(LORA, name="lora", validation=Validation(fraction=0.1))
        assert self.plan.train is not None
        self.ended = flow.run(self.plan, paths, report)
        self.gauges = gauges(report.registry)
        self.folder = paths.volumes / "models/lora/r1"
        self.tokenizer = AutoTokenizer.from_pretrained(village / "base")
        rows = village_rows(village)
        seed = self.plan.train.hyperparameters.seed
        training, validation = split(range(len(rows)), 0.1, seed)
        self.rows, self.validation = ([rows[i] for i in part] for part in (training, validation))
        self.before = base_of(village)
        self.after = PeftModel.from_pretrained(base_of(village), str(self.folder))


@pytest.fixture(scope="module")
def trained(village: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    root = tmp_path_factory.mktemp("pod")
    paths = Paths(root / "inputs", root / "work", root / "volumes", root / "termination")
    paths.inputs.mkdir()
    paths.work.mkdir()
    (paths.inputs / "model").symlink_to(village / "base")
    (paths.inputs / "dataset-0").symlink_to(village / "train.jsonl")
    return Trained(village, paths)


def test_the_answers_are_learnt(trained: Trained) -> None:
    before = loss_of(trained.before, trained.tokenizer, trained.rows)
    after = loss_of(trained.after, trained.tokenizer, trained.rows)
    assert after < before / 2


def test_the_reloaded_adapter_is_the_model_that_was_trained(trained: Trained) -> None:
    assert trained.ended.train is not None
    reloaded = loss_of(trained.after, trained.tokenizer, trained.validation)
    assert reloaded == pytest.approx(trained.ended.train.eval_loss, rel=1e-3)


def test_the_result_says_what_was_done(trained: Trained) -> None:
    result = trained.ended.train
    assert result is not None
    assert result.steps == math.ceil(len(trained.rows) / 16) * 3
    assert result.artifact.format == "peft-adapter"
    assert result.artifact.base == BASE
    assert result.loss is not None
    assert math.isfinite(result.loss)


def test_the_metrics_page_follows_to_the_end(trained: Trained) -> None:
    result, page = trained.ended.train, trained.gauges
    assert result is not None
    assert page[contract.METRIC_STEP] == page[contract.METRIC_TOTAL_STEPS] == result.steps
    assert page[contract.METRIC_EPOCH] == pytest.approx(3)
    assert page[contract.METRIC_LOSS] == pytest.approx(result.loss)
    assert page[contract.METRIC_EVAL_LOSS] == pytest.approx(result.eval_loss)
    assert page[contract.METRIC_TOKENS_PER_SECOND] > 0
    assert page[contract.METRIC_ELAPSED] > 0


def test_the_adapter_names_its_base_by_uri_and_no_path_of_the_pod(trained: Trained) -> None:
    config = json.loads((trained.folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == BASE.uri
    own = str(trained.paths.inputs.parent).encode()
    files = [path for path in trained.folder.rglob("*") if path.is_file()]
    assert [path.name for path in files if own in path.read_bytes()] == []


def test_no_weights_are_pickled(trained: Trained) -> None:
    endings = {path.suffix for path in trained.folder.iterdir()}
    assert ".safetensors" in endings
    assert not endings & {".bin", ".pt", ".pth"}


def test_an_adapter_beside_the_model_is_merged_into_it(
    trained: Trained, village: Path, pod: Pod
) -> None:
    paths = pod(model=village / "base", adapter=trained.folder)
    merged = load_model(paths, torch.float32)
    merged_loss = loss_of(merged, trained.tokenizer, trained.rows)
    assert merged_loss == pytest.approx(loss_of(trained.after, trained.tokenizer, trained.rows))
    assert type(merged) is type(trained.before)


def test_an_artifact_of_an_earlier_attempt_is_kept(trained: Trained) -> None:
    assert trained.ended.train is not None
    again = flow.run(trained.plan, trained.paths, Report())
    assert again.train is not None
    assert again.train.artifact == trained.ended.train.artifact


def test_training_anew_with_the_same_seed_gives_the_same_digest(
    trained: Trained, village: Path, pod: Pod
) -> None:
    assert trained.ended.train is not None
    paths = pod(model=village / "base", dataset_0=village / "train.jsonl")
    again = flow.run(trained.plan, paths, Report())
    assert again.train is not None
    assert again.train.artifact.digest == trained.ended.train.artifact.digest


def train(village: Path, pod: Pod, wanted: Plan, model: Path | None = None) -> Termination:
    paths = pod(model=model or village / "base", dataset_0=village / "train.jsonl")
    return flow.run(wanted, paths, Report())


def test_a_full_tuning_writes_a_whole_model(village: Path, pod: Pod, tmp_path: Path) -> None:
    ended = train(village, pod, plan(FULL, name="full", epochs=1, lr=1e-3))
    assert ended.train is not None
    assert ended.train.artifact.format == "safetensors"
    assert ended.train.artifact.base is None
    folder = tmp_path / "volumes/models/full/r1"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = village_rows(village)
    assert loss_of(model, tokenizer, rows) < loss_of(base_of(village), tokenizer, rows) / 2


def test_a_run_too_short_to_log_still_tells_its_loss(village: Path, pod: Pod) -> None:
    ended = train(village, pod, plan(LORA, name="short", epochs=0.3))
    assert ended.train is not None
    assert ended.train.steps < 5
    assert ended.train.loss is not None
    assert math.isfinite(ended.train.loss)


@pytest.mark.parametrize("epochs", [0.3, 1])
def test_a_lost_loss_ends_the_run_and_leaves_nothing(
    village: Path, pod: Pod, tmp_path: Path, epochs: float
) -> None:
    broken = base_of(village)
    with torch.no_grad():
        broken.model.norm.weight[0] = math.inf
    broken.save_pretrained(tmp_path / "broken")
    AutoTokenizer.from_pretrained(village / "base").save_pretrained(tmp_path / "broken")
    with pytest.raises(UserError) as caught:
        train(village, pod, plan(LORA, name="lost", epochs=epochs), tmp_path / "broken")
    assert caught.value.reason == Reason.TRAINING_DIVERGED
    assert "learningRate" in caught.value.message
    left = list((tmp_path / "volumes/models/lost").iterdir())
    assert [path for path in left if path.name != "r1-checkpoints"] == []


def test_a_tokenizer_without_a_template_is_refused(village: Path, pod: Pod, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    base_of(village).save_pretrained(bare)
    tokenizer = AutoTokenizer.from_pretrained(village / "base")
    tokenizer.chat_template = None
    tokenizer.save_pretrained(bare)
    with pytest.raises(UserError) as caught:
        train(village, pod, plan(LORA, name="bare"), bare)
    assert caught.value.reason == Reason.MODEL_INVALID
    assert "chat_template.jinja" in caught.value.message


@pytest.mark.parametrize("modules", [["no_such_proj"], ["q_proj", "no_such_proj"]])
def test_a_module_that_the_model_has_not_is_refused(
    village: Path, pod: Pod, modules: list[str]
) -> None:
    tuner = LORA.model_copy(update={"target_modules": modules})
    with pytest.raises(UserError) as caught:
        train(village, pod, plan(tuner, name="wrong"))
    assert caught.value.reason == Reason.INVALID_SPEC
    assert "no_such_proj" in caught.value.message
    assert "q_proj" in caught.value.message


def test_only_the_named_modules_are_tuned(village: Path, pod: Pod, tmp_path: Path) -> None:
    tuner = LORA.model_copy(update={"target_modules": ["q_proj", "mlp.up_proj"]})
    train(village, pod, plan(tuner, name="some", epochs=0.1))
    weights = load_file(tmp_path / "volumes/models/some/r1/adapter_model.safetensors")
    tuned = {name.split(".")[-3] for name in weights}
    assert tuned == {"q_proj", "up_proj"}
