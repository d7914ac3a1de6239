"""Locking and laying out what lies on volumes."""

import json
from pathlib import Path

import pytest

from martlet_api.conditions import Reason
from martlet_api.contract import Input, Plan, ServePlan
from martlet_api.engine import EngineType
from martlet_runtime import preflight, stage
from martlet_runtime.engines import formats
from martlet_runtime.errors import UserError
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths(*(tmp_path / name for name in ("inputs", "work", "volumes", "end")))
    for folder in (found.inputs, found.work, found.volumes / "data" / "base"):
        folder.mkdir(parents=True)
    base = found.volumes / "data" / "base"
    (base / "config.json").write_text("{}")
    (base / "model.safetensors").write_bytes(b"weights")
    (found.volumes / "data" / "train.jsonl").write_text('{"query": "q", "response": "a"}\n')
    return found


MODEL = Input(name="model", kind="Model", uri="pvc://data/base")
ROWS = Input(name="rows", kind="Dataset", uri="pvc://data/train.jsonl", rows="Conversation")


def plan(*inputs: Input, serve: ServePlan | None = None) -> Plan:
    return Plan(
        kind="FineTuneJob", namespace="n", name="a", run="r", inputs=list(inputs), serve=serve
    )


def locked(paths: Paths, *inputs: Input) -> list[Input]:
    found = preflight.run(plan(*inputs), paths, Report()).resolved
    assert found is not None
    digests = {item.name: item.digest for item in found}
    return [item.model_copy(update={"digest": digests[item.name]}) for item in inputs]


def test_inputs_are_locked_and_laid_out(paths: Paths) -> None:
    inputs = locked(paths, MODEL, ROWS)
    assert stage.run(plan(*inputs), paths, Report()).succeeded
    assert (paths.inputs / "model" / "config.json").read_text() == "{}"
    assert (paths.inputs / "rows").read_text().startswith('{"query"')
    stage.run(plan(*inputs), paths, Report())  # a container that starts again finds its links


def test_rows_are_counted(paths: Paths) -> None:
    (found,) = preflight.run(plan(ROWS), paths, Report()).resolved or []
    assert (found.rows, found.files) == (1, 1)


def test_a_folder_of_data_is_locked_whole(paths: Paths) -> None:
    folder = paths.volumes / "data/ceval"
    (folder / "logic").mkdir(parents=True)
    (folder / "logic/val.jsonl").write_text("{}\n")
    (folder / "README.md").write_text("---\n")
    wanted = Input(name="suite-s", kind="Folder", uri="pvc://data/ceval", benchmark="ceval")
    (found,) = preflight.run(plan(wanted), paths, Report()).resolved or []
    assert (found.rows, found.files) == (None, 2)
    stage.run(plan(*locked(paths, wanted)), paths, Report())
    assert (paths.inputs / "suite-s/logic/val.jsonl").is_file()
    (folder / "logic/val.jsonl").write_text("{} \n")
    with pytest.raises(UserError) as caught:
        stage.run(plan(wanted.model_copy(update={"digest": found.digest})), paths, Report())
    assert caught.value.reason == Reason.DIGEST_MISMATCH


def test_an_empty_folder_of_data_is_told(paths: Paths) -> None:
    (paths.volumes / "data/ceval").mkdir()
    with pytest.raises(UserError) as caught:
        preflight.lock(Input(name="s", kind="Folder", uri="pvc://data/ceval"), paths)
    assert caught.value.reason == Reason.DATASET_EMPTY
    assert "pvc://data/ceval holds no rows" in caught.value.message


@pytest.mark.parametrize("change", ["write", "add", "remove"])
def test_whatever_changed_since_is_refused(paths: Paths, change: str) -> None:
    inputs = locked(paths, MODEL)
    base = paths.volumes / "data" / "base"
    if change == "write":
        (base / "model.safetensors").write_bytes(b"Weights")
    if change == "add":
        (base / "more.json").write_text("{}")
    if change == "remove":
        (base / "config.json").unlink()
    with pytest.raises(UserError) as caught:
        stage.run(plan(*inputs), paths, Report())
    assert caught.value.reason == Reason.DIGEST_MISMATCH


@pytest.mark.parametrize(
    ("wanted", "reason", "says"),
    [
        (MODEL.model_copy(update={"uri": "pvc://data/bas"}), Reason.MODEL_NOT_FOUND,
         "data holds base, train.jsonl"),
        (ROWS.model_copy(update={"uri": "pvc://data/t.jsonl"}), Reason.DATASET_NOT_FOUND,
         "no file of that name"),
        (MODEL.model_copy(update={"uri": "pvc://data/../../x"}), Reason.MODEL_NOT_FOUND,
         "leads out of its volume"),
    ],
)  # fmt: skip
def test_what_is_not_there(paths: Paths, wanted: Input, reason: Reason, says: str) -> None:
    with pytest.raises(UserError) as caught:
        preflight.lock(wanted, paths)
    assert caught.value.reason == reason
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("weights", "says"),
    [("pytorch_model.bin", "may hold code and is not loaded"), ("notes.md", "no weights")],
)
def test_a_model_without_safetensors_is_refused(paths: Paths, weights: str, says: str) -> None:
    base = paths.volumes / "data" / "base"
    (base / "model.safetensors").rename(base / weights)
    with pytest.raises(UserError) as caught:
        preflight.lock(MODEL, paths)
    assert caught.value.reason == Reason.MODEL_INVALID
    assert says in caught.value.message


INT8 = {"config_groups": {"g": {"weights": {"num_bits": 8}, "input_activations": {"num_bits": 8}}}}
INT4 = {"config_groups": {"g": {"weights": {"num_bits": 4}, "input_activations": None}}}


@pytest.mark.parametrize(
    ("quantization", "flags", "serves"),
    [
        (None, set(), True),
        (INT8, {"avx2"}, True),
        (INT8, {"avx512f"}, True),
        (INT8, {"sse4_2"}, False),
        (INT4, {"avx512f"}, True),
        (INT4, {"avx2"}, False),
        ({"quant_method": "gptq", "bits": 4}, {"avx2"}, False),
    ],
)
def test_formats_and_processors(
    paths: Paths,
    monkeypatch: pytest.MonkeyPatch,
    quantization: dict[str, object] | None,
    flags: set[str],
    serves: bool,
) -> None:
    config = {"quantization_config": quantization} if quantization else {}
    (paths.volumes / "data" / "base" / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr(formats, "cpu_flags", lambda: frozenset(flags))
    work = plan(*locked(paths, MODEL), serve=ServePlan(engine="vLLM", on_accelerator=False))
    if serves:
        assert stage.run(work, paths, Report()).succeeded
        return
    with pytest.raises(UserError) as caught:
        stage.run(work, paths, Report())
    assert caught.value.reason == Reason.FORMAT_NOT_SUPPORTED
    assert "Quantize to W8A8" in caught.value.message


@pytest.mark.parametrize(
    ("kind", "quantization", "told"),
    [
        ("InferenceService", None, "safetensors"),
        ("EvalRun", {"quant_method": "bitsandbytes"}, "bitsandbytes"),
        ("InferenceService", INT4, "compressed-tensors"),
        ("FineTuneJob", INT4, None),
    ],
)
def test_preflight_tells_the_format_of_what_is_to_be_served(
    paths: Paths, kind: str, quantization: dict[str, object] | None, told: str | None
) -> None:
    config = {"quantization_config": quantization} if quantization else {}
    (paths.volumes / "data" / "base" / "config.json").write_text(json.dumps(config))
    asked = plan(MODEL).model_copy(update={"kind": kind})
    (found,) = preflight.run(asked, paths, Report()).resolved or []
    assert found.format == told


@pytest.mark.parametrize("engine", ["vLLM", "LMDeploy", "SGLang"])
def test_each_engine_has_formats_of_its_own(paths: Paths, engine: EngineType) -> None:
    """FP8 of compressed-tensors: LMDeploy would end with an AssertionError."""
    weights = {"type": "float", "num_bits": 8}
    group = {"weights": weights, "input_activations": weights, "format": "float-quantized"}
    quantization = {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}}
    config = {"quantization_config": quantization}
    (paths.volumes / "data" / "base" / "config.json").write_text(json.dumps(config))
    work = plan(*locked(paths, MODEL), serve=ServePlan(engine=engine, on_accelerator=True))
    if engine != "LMDeploy":
        assert stage.run(work, paths, Report()).succeeded
        return
    with pytest.raises(UserError, match="does not read compressed-tensors but 4-bit") as caught:
        stage.run(work, paths, Report())
    assert caught.value.reason == Reason.FORMAT_NOT_SUPPORTED


def test_flags_are_read_as_linux_writes_them(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("model name\t: x\nflags\t\t: fpu avx2 avx512f\n")
    assert formats.cpu_flags(tmp_path / "cpuinfo") == {"fpu", "avx2", "avx512f"}
