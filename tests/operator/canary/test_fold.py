"""Evidence: each window counts once, whoever restarts; what each kind of guard learns."""

import json
import random
from collections.abc import Iterable
from math import exp, inf

import pytest
from canary_builders import (
    START,
    counts,
    error_windows,
    latency_windows,
    value_windows,
    window,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from martlet_operator.canary.betting import log_evidence
from martlet_operator.canary.evidence import Evidence, failed, read, written
from martlet_operator.canary.fold import fold
from martlet_operator.canary.guards import (
    Claim,
    Direction,
    Guard,
    LatencyGuard,
    Limit,
    QuantileLimit,
    ShareGuard,
    Tolerance,
    ValueGuard,
)
from martlet_operator.canary.verdict import Verdict, verdict
from martlet_operator.canary.windows import Arm, Window

ERRORS = ShareGuard("ErrorRate")
TTFT = LatencyGuard("TTFT", "ttft")
THROUGHPUT = ValueGuard("Throughput", "tps", Tolerance(1.1), Direction.HIGHER_IS_BETTER)


def folded(guard: Guard, windows: Iterable[Window], evidence: Evidence | None = None) -> Evidence:
    known = evidence or Evidence()
    for one in windows:
        known = fold(guard, known, one)
    return known


def kept(guard: Guard, evidence: Evidence) -> Evidence:
    """Written to a status and read again."""
    return read(guard, json.loads(json.dumps(written(evidence), allow_nan=False)))


def mixed(seed: int) -> list[Window]:
    """Windows with everything in them."""
    rng = random.Random(seed)
    bad, slow = rng.choice([0.01, 0.1]), rng.choice([1.0, 1.5])
    pairs = zip(error_windows(rng, 40, bad, 0.01), latency_windows(rng, 40, slow), strict=True)
    return [
        Window(
            a.start,
            a.end,
            Arm(a.canary.counts, b.canary.histograms, {"tps": rng.gauss(10, 2)}),
            Arm(a.stable.counts, b.stable.histograms, {"tps": 10.0}),
        )
        for a, b in pairs
    ]


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 1000),
    restarts=st.sets(st.integers(0, 39)),
    twice=st.sets(st.integers(0, 39)),
    guard=st.sampled_from([ERRORS, TTFT, THROUGHPUT]),
)
def test_restarts_and_repeats_change_nothing(
    seed: int, restarts: set[int], twice: set[int], guard: Guard
) -> None:
    windows = mixed(seed)
    known = Evidence()
    for number, one in enumerate(windows):
        known = fold(guard, known, one)
        if number in restarts:
            known = kept(guard, known)
        if number in twice:
            known = fold(guard, known, windows[number // 2])
            known = fold(guard, known, one)
    once = folded(guard, windows)
    assert known == once
    assert verdict(kept(guard, known), 0.005) == verdict(once, 0.005)


def test_a_status_is_small() -> None:
    for guard in (ERRORS, TTFT):
        known = folded(guard, mixed(1))
        assert known.tracks
        assert len(json.dumps(written(known))) < 2500


def test_what_another_operator_wrote_is_read_with_less_evidence_not_more() -> None:
    known = folded(ERRORS, error_windows(random.Random(1), 60, 0.1, 0.01))
    status = json.loads(json.dumps(written(known)))
    status["tracks"][0]["stakes"]["worse"] = [9.0]
    status["tracks"][0]["stakes"]["unheardOf"] = [9.0]
    del status["tracks"][0]["stakes"]["beyondMargin"], status["tracks"][0]["dispersion"]["coarse"]
    status["news"] = {}
    found = read(ERRORS, status)
    assert verdict(known, 0.005) is Verdict.FAIL
    assert verdict(found, 0.005) is not Verdict.FAIL
    assert fold(ERRORS, found, window(99, counts(0, 9), counts(0, 90))).tracks
    assert read(ERRORS, {}) == Evidence()


def test_windows_of_the_stable_revision_alone_are_learnt_from_and_not_bet_on() -> None:
    known = folded(ERRORS, (window(i, Arm(), counts(i % 2, 100)) for i in range(20)))
    track = known.tracks[0]
    assert (track.windows, track.recent, track.requests) == (0, (10, 2000), (0, 0))
    assert track.dispersion.known > 5


def test_nothing_is_bet_before_the_stable_revision_is_known() -> None:
    known = folded(ERRORS, [window(0, counts(9, 9), counts(0, 40))])
    assert known.tracks[0].windows == 0


def test_no_single_window_decides() -> None:
    """A burst of fifty errors after an hour without any."""
    calm = [window(i, counts(0, 10), counts(0, 90)) for i in range(240)]
    known = folded(ERRORS, [*calm, window(240, counts(50, 60), counts(0, 90))])
    assert verdict(known, 0.01) is not Verdict.FAIL


def test_edges_are_chosen_from_the_stable_revision_and_kept() -> None:
    known = folded(TTFT, latency_windows(random.Random(2), 60, 4.0))
    assert [track.edge for track in known.tracks] == [0.25, 0.5, 0.75]
    assert not known.waiting.edges
    assert known.tracks[0].windows == 40


def test_the_canary_does_not_choose_edges() -> None:
    """Whatever it does before they are chosen."""
    windows = list(latency_windows(random.Random(2), 10, 1.0))
    slow = Arm(histograms={"ttft": {0.25: 0.0, 0.5: 0.0, 0.75: 0.0, 1.0: 0.0, inf: 999.0}})
    loud = [Window(w.start, w.end, slow, w.stable) for w in windows]
    quiet = [w.stable_alone for w in windows]
    assert [t.edge for t in folded(TTFT, loud).tracks] == [
        t.edge for t in folded(TTFT, quiet).tracks
    ]


def test_a_canary_with_other_buckets_is_compared_where_both_have_edges() -> None:
    rng = random.Random(3)
    alone = list(latency_windows(rng, 20, 1.0))
    known = folded(TTFT, alone)
    assert 0.25 in {track.edge for track in known.tracks}
    others = [
        Window(w.start, w.end, Arm(histograms={"ttft": {0.5: 9.0, 2.0: 15.0, inf: 15.0}}), w.stable)
        for w in list(latency_windows(rng, 60, 1.0))[20:]
    ]
    known = folded(TTFT, others, known)
    assert [track.edge for track in known.tracks] == [0.5]
    assert known.tracks[0].windows > 30


def test_a_limit_minds_the_canary_alone() -> None:
    guard = ShareGuard("ErrorRate", Limit(0.02))
    alone = [window(i, counts(i % 3 == 0, 15), Arm()) for i in range(60)]
    assert verdict(folded(guard, alone), 0.01) is not Verdict.FAIL
    bad = [window(i, counts(2, 15), counts(20, 135)) for i in range(60)]
    assert verdict(folded(guard, bad), 0.01) is Verdict.FAIL
    good = [window(i, counts(0, 15), counts(20, 135)) for i in range(60)]
    assert verdict(folded(guard, good), 0.01) is Verdict.PASS


def test_a_limit_of_a_latency_is_judged_at_the_next_edge() -> None:
    guard = LatencyGuard("TTFT", "ttft", QuantileLimit(0.9, 0.9))
    known = folded(guard, latency_windows(random.Random(4), 100, 1.0))
    assert [track.edge for track in known.tracks] == [1.0]
    assert verdict(known, 0.01) is Verdict.PASS
    slow = folded(guard, latency_windows(random.Random(4), 100, 3.0))
    assert verdict(slow, 0.01) is Verdict.FAIL


def test_a_limit_beyond_all_edges_says_so() -> None:
    guard = LatencyGuard("TTFT", "ttft", QuantileLimit(30))
    known = folded(guard, latency_windows(random.Random(4), 30, 1.0))
    assert "no edge at or above 30 s; its highest is 1 s" in known.error
    assert verdict(known, 0.01) is Verdict.PROVIDER_ERROR


@pytest.mark.parametrize(
    ("guard", "canary", "told"),
    [
        (THROUGHPUT, 5.0, Verdict.FAIL),
        (THROUGHPUT, 9.5, Verdict.PASS),
        (THROUGHPUT, 12.0, Verdict.PASS),
        (ValueGuard("KV", "tps", Tolerance(1.0, 2.0)), 13.0, Verdict.FAIL),
        (ValueGuard("KV", "tps", Tolerance(1.0, 2.0)), 11.0, Verdict.PASS),
        (ValueGuard("KV", "tps", Limit(15.0)), 14.0, Verdict.PASS),
        (ValueGuard("KV", "tps", Limit(15.0)), 16.0, Verdict.FAIL),
        (ValueGuard("T", "tps", Limit(15.0), Direction.HIGHER_IS_BETTER), 14.0, Verdict.FAIL),
        (ValueGuard("T", "tps", Limit(15.0), Direction.HIGHER_IS_BETTER), 16.0, Verdict.PASS),
    ],
)
def test_values_are_compared_window_by_window(guard: Guard, canary: float, told: Verdict) -> None:
    known = folded(guard, value_windows([canary] * 20, [10.0] * 20))
    assert verdict(known, 0.005) is told


def test_values_count_once_a_spacing_and_not_without_both() -> None:
    quick = [
        Window(START + 15 * i, START + 15 * (i + 1), Arm(values={"tps": 1}), Arm(values={"tps": 2}))
        for i in range(40)
    ]
    assert folded(THROUGHPUT, quick).tracks[0].windows == 10
    lone = [Window(w.start, w.end, w.canary, Arm()) for w in quick]
    assert folded(THROUGHPUT, lone) == Evidence()
    ties = folded(THROUGHPUT, value_windows([10.0] * 30, [10.0] * 30))
    assert exp(log_evidence([ties.tracks[0].stakes[Claim.WORSE]])) < 1


def test_an_error_is_told_and_forgotten_with_the_next_window() -> None:
    known = folded(ERRORS, error_windows(random.Random(5), 30, 0.01, 0.01))
    lost = failed(known, "connection refused")
    assert lost.tracks == known.tracks
    assert verdict(lost, 0.005) is Verdict.PROVIDER_ERROR
    again = fold(ERRORS, lost, window(30, counts(0, 15), counts(1, 135)))
    assert verdict(again, 0.005) is Verdict.INSUFFICIENT


def test_identical_arms_are_expected_to_win_nothing() -> None:
    """The supermartingale, by simulation: 200 canaries as bad as the stable revision."""
    total, ever = 0.0, 0
    for seed in range(200):
        known, most = Evidence(), -inf
        for one in error_windows(random.Random(seed), 50, 0.1, 0.1, (5, 20)):
            known = fold(ERRORS, known, one)
            most = max(most, log_evidence([known.tracks[0].stakes[Claim.WORSE]]))
        total += exp(log_evidence([known.tracks[0].stakes[Claim.WORSE]]))
        ever += most > 3  # e^3 is 20
    assert total / 200 < 1.2
    assert ever / 200 < 0.05
