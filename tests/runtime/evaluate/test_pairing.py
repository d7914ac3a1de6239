"""Two scorings row by row, and how sure a difference then is."""

from __future__ import annotations

import json
import random
from pathlib import Path
from statistics import fmean, variance

import pytest

from martlet_api.contract import ComparePlan, OutputPlan, Plan
from martlet_api.termination import decode, encode
from martlet_runtime.evaluate import compare, page, samples
from martlet_runtime.evaluate.pairing import SURPRISE, changed, pairings, pairs_of
from martlet_runtime.evaluate.samples import Sample, digest
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report


def rows(*scores: float, metric: str = "acc", suite: str = "s", answer: str = "x") -> list[Sample]:
    return [
        Sample(suite, str(n), f"question {n}", digest(n), answer, "y", {metric: score}, 10)
        for n, score in enumerate(scores)
    ]


def test_rows_that_were_asked_the_same_are_paired() -> None:
    baseline = rows(1, 0, 1)
    other = Sample("s", "0", "another question", digest("other"), "x", "y", {"acc": 1.0})
    pairs = pairs_of([other, *rows(0, 0)[1:]], baseline)
    assert [(model.id, former.id) for model, former in pairs] == [("1", "1")]


def test_what_got_worse_comes_first() -> None:
    pairs = pairs_of(rows(0, 1, 1, 0.5), rows(1, 0, 1, 0.6))
    assert [(row.model.id, row.before, row.after) for row in changed(pairs)] == [
        ("0", 1, 0), ("3", 0.6, 0.5), ("1", 0, 1),
    ]  # fmt: skip
    (found,) = pairings(pairs)
    assert (found.rows, found.worse, found.better) == (4, 2, 1)


def test_of_surprises_more_is_worse() -> None:
    pairs = pairs_of(rows(30, 20, metric=SURPRISE), rows(20, 30, metric=SURPRISE))
    assert [row.model.id for row in changed(pairs)] == ["0", "1"]
    (found,) = pairings(pairs)
    assert (found.metric, found.worse, found.better) == ("perplexity", 1, 1)


def test_the_variance_of_a_difference_is_that_of_the_rows_differences() -> None:
    drawn = random.Random(1)
    former = [drawn.random() for _ in range(50)]
    own = [0.7 * value + 0.3 * drawn.random() for value in former]
    (found,) = pairings(pairs_of(rows(*own), rows(*former)))
    alone = [variance(values) / 50 for values in (own, former)]
    together = variance([a - b for a, b in zip(own, former, strict=True)]) / 50
    assert sum(alone) - 2 * found.covariance == pytest.approx(together)
    assert found.covariance > 0.3 * alone[1]


def test_the_covariance_of_perplexities_is_that_of_windows_drawn_anew() -> None:
    drawn = random.Random(2)
    former = [20 + 3 * drawn.gauss(0, 1) for _ in range(200)]
    own = [value + 1 + drawn.gauss(0, 1) for value in former]
    (found,) = pairings(pairs_of(rows(*own, metric=SURPRISE), rows(*former, metric=SURPRISE)))
    values = []
    for _ in range(3000):
        chosen = drawn.choices(range(200), k=200)
        values.append([2.718281828 ** (fmean(x[n] for n in chosen) / 10) for x in (own, former)])
    means = [fmean(column) for column in zip(*values, strict=True)]
    expected = fmean((a - means[0]) * (b - means[1]) for a, b in values)
    assert found.covariance == pytest.approx(expected, rel=0.1)


def test_one_row_tells_nothing() -> None:
    assert pairings(pairs_of(rows(1), rows(0))) == []


@pytest.fixture
def compared(tmp_path: Path) -> tuple[Paths, Plan]:
    paths = Paths(tmp_path / "inputs", tmp_path / "work", tmp_path / "volumes", tmp_path / "told")
    (paths.volumes / "out").mkdir(parents=True)
    for name, scores in (("samples", (0, 1, 1)), ("baseline", (1, 0, 1))):
        folder = paths.inputs / name
        folder.mkdir(parents=True)
        answer = "<script>alert(1)</script>" if name == "samples" else "calm"
        samples.write(folder / samples.FILE, rows(*scores, answer=answer))
    output = OutputPlan(uri="pvc://out/e/r-comparison", record={})
    return paths, Plan(
        kind="EvalRun",
        namespace="n",
        name="e",
        run="r",
        compare=ComparePlan(metrics={"s": ["acc"]}, output=output),
    )


def test_the_rows_that_changed_are_an_artifact_with_a_page(compared: tuple[Paths, Plan]) -> None:
    paths, plan = compared
    ended = compare.run(plan, paths, Report())
    assert ended.compare is not None
    assert ended.message == "3 rows compared, 2 changed."
    (found,) = ended.compare.pairings
    assert (found.suite, found.metric, found.worse, found.better) == ("s", "acc", 1, 1)
    folder = paths.of_claim(ended.compare.artifact.uri)
    lines = [json.loads(line) for line in (folder / compare.CHANGED).read_text().splitlines()]
    assert [(line["model"]["id"], line["before"], line["after"]) for line in lines] == [
        ("0", 1, 0), ("1", 0, 1),
    ]  # fmt: skip
    text = (folder / page.FILE).read_text()
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert text.index("question 0") < text.index("question 1")


def test_all_metrics_that_scores_have_are_told_and_no_others(compared: tuple[Paths, Plan]) -> None:
    paths, plan = compared
    names = [f"metric_{number}" for number in range(17)]
    told = {f"suite-{number}": names for number in range(16)}
    for name, shift in (("samples", 0), ("baseline", 1)):
        found = [
            Sample(suite, str(n), "asked", digest(n), "x", "y", {**scores, "other": 1.0})
            for suite in told
            for n in range(4)
            for scores in [{metric: float((n + shift) % 3) for metric in names}]
        ]
        samples.write(paths.inputs / name / samples.FILE, found)
    assert plan.compare is not None
    comparing = plan.compare.model_copy(update={"metrics": told})
    ended = compare.run(plan.model_copy(update={"compare": comparing}), paths, Report())
    assert ended.compare is not None
    assert [(p.suite, p.metric) for p in ended.compare.pairings] == sorted(
        (suite, metric) for suite in told for metric in names
    )
    assert decode(encode(ended)) == ended
