"""What counts as an answer of the engine that is to serve."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from martlet_api.conditions import Reason
from martlet_api.contract import (
    Input,
    OutputPlan,
    Plan,
    ServePlan,
    Termination,
    VerifyPlan,
)
from martlet_runtime import artifacts, cli, stage, verify
from martlet_runtime.errors import RetryableError, UserError
from martlet_runtime.evaluate import engine as asking
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report

TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% endfor %}"


class Verification:
    """A pod beside an engine; its model has a chat template unless it is taken away."""

    def __init__(self, engine: Any, paths: Paths) -> None:
        self.engine, self.paths = engine, paths
        self.model = paths.inputs / "model"
        self.model.mkdir()
        self.template = self.model / "chat_template.jinja"
        self.template.write_text(TEMPLATE)
        self.plan = Plan(
            kind="QuantizedModel",
            namespace="n",
            name="q",
            run="r1",
            verify=VerifyPlan(
                engine="vLLM", image="vllm-cpu:1", endpoint=engine.endpoint, served_name="m"
            ),
        )
        paths.plan.write_text(self.plan.model_dump_json(by_alias=True, exclude_none=True))

    def run(self) -> Termination:
        return verify.run(self.plan, self.paths, Report())

    @property
    def asked(self) -> list[dict[str, Any]]:
        """Completions that were asked for in earnest: not those that only wait for the engine."""
        return [body for body in self.engine.completions if "logprobs" in body]


@pytest.fixture
def pod(engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verification:
    monkeypatch.setattr(asking, "_PAUSE_SECONDS", 0.05)
    paths = Paths(
        tmp_path / "inputs", tmp_path / "work", tmp_path / "volumes", tmp_path / "end",
        plan=tmp_path / "plan.json",
    )  # fmt: skip
    paths.inputs.mkdir()
    return Verification(engine, paths)


def test_a_completion_and_a_chat_are_answered(pod: Verification) -> None:
    ended = pod.run()
    assert ended.succeeded
    found = ended.verify
    assert found is not None
    assert (found.engine, found.version, found.image) == ("vLLM", "0.32.0", "vllm-cpu:1")
    assert found.chat
    assert "vLLM 0.32.0 of image vllm-cpu:1 answered a completion and a chat" in ended.message
    (completion,), (chat,) = pod.asked, pod.engine.asked
    for body in (completion, chat):
        assert (body["model"], body["temperature"], body["max_tokens"]) == ("m", 0, 8)
        assert body["ignore_eos"] is True, "an early end of text would show no second step"
    assert chat["messages"] == [{"role": "user", "content": "Hello"}]


def test_the_time_to_the_first_answer_counts_from_the_pod_s_beginning(pod: Verification) -> None:
    """When the kubelet wrote the plan; loading is part of it."""
    began = time.time() - 100
    os.utime(pod.paths.plan, (began, began))
    pod.engine.down = True
    threading.Timer(0.5, lambda: setattr(pod.engine, "down", False)).start()
    ended = pod.run()
    assert ended.verify is not None
    assert 100.4 < ended.verify.seconds < 160
    assert f"{ended.verify.seconds:.0f} s after the pod began" in ended.message


def _in_configuration(pod: Verification, template: str | None) -> None:
    pod.template.unlink()
    told = {"model_max_length": 96, **({"chat_template": template} if template else {})}
    (pod.model / "tokenizer_config.json").write_text(json.dumps(told))


def test_without_a_chat_template_no_chat_is_asked_for(pod: Verification) -> None:
    _in_configuration(pod, None)
    ended = pod.run()
    assert ended.verify is not None
    assert not ended.verify.chat
    assert "answered a completion;" in ended.message
    assert pod.engine.asked == []


def test_a_template_may_stand_in_the_tokenizer_s_configuration(pod: Verification) -> None:
    _in_configuration(pod, TEMPLATE)
    ended = pod.run()
    assert ended.verify is not None
    assert ended.verify.chat


NAN = float("nan")


@pytest.mark.parametrize(
    ("logprobs", "says"),
    [
        ([], "it has no tokens"),
        ([-0.1, NAN], "token 2 of 2 has the log-probability nan"),
        ([-math.inf], "token 1 of 1 has the log-probability -inf"),
        ([-9999.0], "token 1 of 1 has the log-probability -9999.0"),
        ([None], "token 1 of 1 has the log-probability None"),
        ([0.5], "token 1 of 1 has the log-probability 0.5"),
    ],
)
@pytest.mark.parametrize("chat", [True, False])
def test_what_is_no_answer_is_not_asked_for_again(
    pod: Verification, logprobs: list[Any], says: str, chat: bool
) -> None:
    """The same weights in the same engine would give the same."""
    fine = pod.engine.reply

    def reply(path: str, body: dict[str, Any]) -> Any:
        pod.engine.logprobs = logprobs if ("chat" in path) is chat else [-0.1]
        return fine(path, body)

    pod.engine.reply = reply
    with pytest.raises(UserError) as caught:
        pod.run()
    assert caught.value.reason == Reason.ENGINE_FAILED
    what = "a chat" if chat else "a completion"
    assert caught.value.message == (
        f"The engine loaded the model, but {what} was no answer: {says}."
    )


@pytest.mark.parametrize("logprobs", [[0.0], [-0.0], [-20.5, -1e-7], [1e-6]])
def test_log_probabilities_that_tokens_can_have(logprobs: list[float]) -> None:
    assert verify.no_answer(logprobs) is None


def test_an_answer_without_log_probabilities_is_told(pod: Verification) -> None:
    pod.engine.reply = lambda path, body: (200, {"choices": [{"text": "x", "logprobs": None}]})
    with pytest.raises(UserError, match="given without the log-probabilities of its tokens"):
        pod.run()


def test_what_the_engine_refuses_is_told_in_its_words(pod: Verification) -> None:
    pod.engine.refused = "Hello"
    with pytest.raises(UserError) as caught:
        pod.run()
    assert caught.value.reason == Reason.ENGINE_FAILED
    assert "a chat was refused: HTTP Error 400" in caught.value.message
    assert "this is refused" in caught.value.message
    assert len(pod.engine.asked) == 1


def test_an_engine_that_ends_over_a_question_is_asked_again_once_it_is_back(
    pod: Verification,
) -> None:
    pod.engine.drops = 2
    assert pod.run().succeeded
    assert len(pod.asked) == 1


def test_one_that_ends_whenever_it_is_asked_is_worth_another_pod(pod: Verification) -> None:
    """Unless the operator, which sees its last words, has ended the run before."""
    pod.engine.drops = 100
    with pytest.raises(RetryableError) as caught:
        pod.run()
    assert caught.value.reason == Reason.ENGINE_FAILED
    assert "ended whenever it was asked for a chat" in caught.value.message


@pytest.mark.parametrize(
    ("status", "words", "says"),
    [
        # vLLM 0.32 with weights whose scales are no numbers; without logprobs it answers.
        (400, "Out of range float values are not JSON compliant",
         "a completion was no answer: its log-probabilities are no numbers"),
        (500, "EngineCore encountered an issue", "a completion was refused: HTTP Error 500"),
    ],
)  # fmt: skip
def test_one_that_fails_whenever_it_is_asked_in_earnest_is_told(
    pod: Verification, status: int, words: str, says: str
) -> None:
    fine = pod.engine.reply

    def reply(path: str, body: dict[str, Any]) -> Any:
        return (status, {"error": {"message": words}}) if "logprobs" in body else fine(path, body)

    pod.engine.reply = reply
    with pytest.raises(UserError) as caught:
        pod.run()
    assert caught.value.reason == Reason.ENGINE_FAILED
    assert says in caught.value.message
    assert words in caught.value.message


def test_one_that_does_not_come_up_is_worth_another_pod(
    pod: Verification, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod.engine.down = True
    wait = asking.wait
    monkeypatch.setattr(asking, "wait", lambda *words: wait(*words, seconds=0))
    with pytest.raises(RetryableError) as caught:
        pod.run()
    assert caught.value.reason == Reason.ENGINE_FAILED
    assert "503" in caught.value.message


def test_an_engine_that_does_not_tell_its_version_has_answered_all_the_same(
    pod: Verification,
) -> None:
    pod.engine.version = None
    ended = pod.run()
    assert ended.verify is not None
    assert ended.verify.version is None
    assert ended.message.startswith("vLLM of image vllm-cpu:1 answered")


@pytest.mark.parametrize(("logprobs", "code"), [([-0.1], 0), ([], 65)])
def test_the_end_is_the_termination_message(
    pod: Verification, monkeypatch: pytest.MonkeyPatch, logprobs: list[float], code: int
) -> None:
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    pod.engine.logprobs = logprobs
    assert cli.run("verify", pod.paths.plan, pod.paths) == code
    told = Termination.model_validate_json(pod.paths.termination.read_text())
    assert told.flow == "verify"
    assert told.succeeded is (code == 0)
    assert (told.verify is not None) is (code == 0)


# What was compressed, between its pod and the engine's


@pytest.fixture
def compressed(tmp_path: Path, make_weights: Callable[[Path], None]) -> tuple[Paths, Plan]:
    """An artifact as quantize writes it, and the plan of the pod that brings it to the engine."""
    paths = Paths(*(tmp_path / name for name in ("inputs", "work", "volumes", "end")))
    for folder in (paths.inputs, paths.work, paths.volumes):
        folder.mkdir()
    output = OutputPlan(uri="pvc://models/q/r1", record={"name": "q"})
    made = artifacts.write(paths, output, "compressed-tensors", None, make_weights)
    model = Input(name="model", kind="Model", uri=made.uri, digest=made.digest)
    serve = ServePlan(engine="vLLM", on_accelerator=True)
    plan = Plan(
        kind="QuantizedModel", namespace="n", name="q", run="r1", inputs=[model], serve=serve
    )
    return paths, plan


@pytest.fixture
def make_weights() -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(b"weights" * 100)

    return build


def test_what_was_compressed_is_laid_before_the_engine(compressed: tuple[Paths, Plan]) -> None:
    paths, plan = compressed
    assert stage.run(plan, paths, Report()).succeeded
    assert (paths.inputs / "model/model.safetensors").read_bytes().startswith(b"weights")


def _flip_a_bit(folder: Path) -> str:
    path = folder / "model.safetensors"
    found = bytearray(path.read_bytes())
    found[350] ^= 1
    path.write_bytes(found)
    return "model.safetensors in r1 was changed since it was made."


def _cut(folder: Path) -> str:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    return "model.safetensors in r1 was changed since it was made."


def _remove(folder: Path) -> str:
    (folder / "config.json").unlink()
    return "config.json in r1 is missing since it was made."


def _swap(folder: Path) -> str:
    """Whole, manifest and all, and yet another model."""
    (folder / "model.safetensors").write_bytes(b"other")
    artifacts.seal(folder)
    return "but sha256:"


@pytest.mark.parametrize("tamper", [_flip_a_bit, _cut, _remove, _swap])
def test_what_was_changed_on_disk_since_is_refused(
    compressed: tuple[Paths, Plan], tamper: Callable[[Path], str]
) -> None:
    paths, plan = compressed
    says = tamper(paths.volumes / "models/q/r1")
    with pytest.raises(UserError) as caught:
        stage.run(plan, paths, Report())
    assert caught.value.reason == Reason.DIGEST_MISMATCH
    assert says in caught.value.message
    assert "spec.retry" in caught.value.message
