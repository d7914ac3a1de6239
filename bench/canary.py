"""The canary's rule in simulated traffic, beside rules like Flagger's and Argo Rollouts'.

Every rule sees the same counts. Ours is the product's code from the pods' counters to the verdict;
canary_rules.py says what the others are, canary_traffic.py how the traffic is made. Each cell has
its own seeds, so one cell does not change with another. ``--quick`` takes a tenth of the runs.
"""

import argparse
import multiprocessing
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isinf

import canary_rules as rules
from canary_traffic import COLD, ERRORS, HOUR, Scenario, simulate

RUNS = 1000
LOADS = (50.0, 10.0, 2.0, 0.5)
STEPPED = (0.05, 0.25, 0.5)

FALSE, SHARED, BENT = 0.004, 0.001, 0.05
"""What may be rolled back: of identical arms, in a shared incident, of tolerated canaries."""
GOALS = {
    ("errors 0.5 -> 5 %", 50.0): (0.5, 1.2),
    ("errors 0.5 -> 5 %", 10.0): (2.0, 5.2),
    ("errors 0.5 -> 5 %", 2.0): (9.5, 27.0),
    ("TTFT x 2", 50.0): (0.2, 0.2),
    ("TTFT x 2", 10.0): (0.8, 1.2),
    ("TTFT x 2", 2.0): (3.2, 6.0),
    ("TTFT + 30 %", 50.0): (1.2, 2.5),
    ("TTFT + 30 %", 10.0): (6.2, 12.8),
    ("TTFT + 30 %", 2.0): (30.0, inf),
}
"""Minutes until half and until 95 % are detected, at 10 % weight."""


@dataclass(frozen=True)
class Cell:
    """A scenario, and how many of its runs ours may roll back; None where it should."""

    scenario: Scenario
    most: float | None = None


def quiet() -> list[Cell]:
    """An hour in which nothing is wrong with the canary."""
    cells = []
    for rps in LOADS:
        for weights in ((0.1,), STEPPED):
            cells.append(Cell(Scenario("identical", rps, weights), FALSE))
    alone = [Scenario("identical, no bursts", rps, bursts=False) for rps in (50.0, 10.0, 2.0)]
    shared = [Scenario("shared incident", rps, incident=True) for rps in LOADS]
    spells = Scenario("slow spells", 10.0, spells=True)
    unread = Scenario("metrics unread", 10.0, unread=True)
    half = {"bursts": False, "seconds": COLD + HOUR // 2}
    bent = [
        Scenario("errors 0.5 -> 0.9 %", 10.0, errors=0.009, **half),
        Scenario("TTFT + 8 %", 10.0, ttft=1.08, **half),
    ]
    return [
        *cells,
        *(Cell(scenario, FALSE) for scenario in alone),
        *(Cell(scenario, SHARED) for scenario in shared),
        Cell(spells, 1.0),
        Cell(unread, FALSE),
        *(Cell(scenario, BENT) for scenario in bent),
    ]


def bad() -> list[Cell]:
    """Something is wrong from the canary's first warm second, or later."""
    kinds = {
        "errors 0.5 -> 5 %": ({"errors": 10 * ERRORS}, (5, 20, 60)),
        "TTFT x 2": ({"ttft": 2.0}, (2, 5, 20)),
        "TTFT + 30 %": ({"ttft": 1.3}, (6, 30, 60)),
    }
    cells = []
    for name, (fault, minutes) in kinds.items():
        for rps, scrape, most in zip((50.0, 10.0, 2.0), (5, 5, 15), minutes, strict=True):
            seconds = COLD + 60 * most
            flat = Scenario(name, rps, bursts=False, daily=0.0, scrape=scrape, seconds=seconds)
            cells.append(replace(flat, **fault))
    few = Scenario("errors 0.5 -> 5 %", 0.5, bursts=False, daily=0.0, errors=10 * ERRORS)
    bursts = Scenario("the same in bursts", 10.0, errors=10 * ERRORS)
    wide = Scenario("TTFT + 30 %, spread 1", 10.0, bursts=False, daily=0.0, ttft=1.3, spread=1.0)
    late = Scenario("errors after 30 min", 10.0, bursts=False, errors=10 * ERRORS, since=HOUR / 2)
    return [Cell(scenario) for scenario in (*cells, few, bursts, wide, late)]


RULES = ("martlet", "flagger", "flagger fitted", "argo", "argo fitted")


def run(job: tuple[Scenario, int]) -> tuple[tuple[float, ...], float]:
    """(seconds to rollback by rule, seconds to our first pass)."""
    scenario, seed = job
    traffic = simulate(scenario, seed)
    ours = rules.martlet(traffic, scenario)
    others = [
        rules.flagger(traffic, scenario),
        rules.flagger(traffic, scenario, rules.FITTED),
        rules.argo(traffic, scenario),
        rules.argo(traffic, scenario, rules.FITTED),
    ]
    return (ours.rolled_back, *(other.rolled_back for other in others)), ours.passed


@dataclass(frozen=True)
class Found:
    """Minutes by rule and run, counted from the fault, or from the canary's first request."""

    cell: Cell
    rolled_back: list[list[float]]
    passed: list[float]

    def rate(self, rule: int) -> float:
        times = self.rolled_back[rule]
        return sum(not isinf(t) for t in times) / len(times)

    def quantiles(self, rule: int) -> tuple[float, float]:
        return quantile(self.rolled_back[rule], 0.5), quantile(self.rolled_back[rule], 0.95)


def quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


def measure(pool: "multiprocessing.pool.Pool", cell: Cell, number: int, runs: int) -> Found:
    scenario = cell.scenario
    jobs = [(scenario, 100_000 * number + seed) for seed in range(runs)]
    told = pool.map(run, jobs, chunksize=10)
    since = scenario.since if cell.most is None else 0.0
    by_rule = [
        [(t - since) / 60 for t in times] for times in zip(*(r for r, _ in told), strict=True)
    ]
    return Found(cell, by_rule, [(passed - COLD) / 60 for _, passed in told])


def minutes(value: float) -> str:
    return "-" if isinf(value) else f"{value:.1f}"


def pair(values: tuple[float, float]) -> str:
    return f"{minutes(values[0])} / {minutes(values[1])}"


def of_quiet(found: Found) -> tuple[str, bool]:
    """A line of the first table, and whether the goal is reached."""
    scenario, most = found.cell.scenario, found.cell.most
    weights = "/".join(f"{100 * weight:.0f}" for weight in scenario.weights)
    rates = [f"{100 * found.rate(rule):.1f}" for rule in range(len(RULES))]
    passed = sum(not isinf(t) for t in found.passed) / len(found.passed)
    line = (
        f"| {scenario.name} | {scenario.rps:g} | {weights} | {' | '.join(rates)} "
        f"| {100 * passed:.0f} | {minutes(quantile(found.passed, 0.5))} |"
    )
    assert most is not None
    return line, found.rate(0) <= most


def of_bad(found: Found) -> tuple[str, bool]:
    """A line of the second table, and whether the goal is reached: to the tenth of a minute."""
    scenario = found.cell.scenario
    goal = GOALS.get((scenario.name, scenario.rps), (inf, inf))
    ours = found.quantiles(0)
    missed = 100 * (1 - found.rate(0))
    others = [f"{pair(found.quantiles(rule))}" for rule in range(1, len(RULES))]
    line = (
        f"| {scenario.name} | {scenario.rps:g} | {pair(ours)} | {missed:.1f} | {pair(goal)} "
        f"| {' | '.join(others)} |"
    )
    return line, all(round(is_, 1) <= goal_ for is_, goal_ in zip(ours, goal, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    runs = RUNS // 10 if parser.parse_args().quick else RUNS
    began = time.perf_counter()
    missed: list[str] = []
    print(f"{runs} runs a cell")
    with multiprocessing.Pool(2) as pool:
        print(
            "\nrolled back in % (goals: identical 0.4, incident 0.1, tolerated 5), and passes\n"
            f"| traffic | rps | weight % | {' | '.join(RULES)} | passed % | median min |\n"
            f"|{'---|' * 10}"
        )
        missed += report(pool, quiet(), 0, runs)
        print(
            "\nminutes to detection: median / 95th percentile\n"
            f"| fault | rps | martlet | missed % | goal | {' | '.join(RULES[1:])} |\n"
            f"|{'---|' * 9}"
        )
        missed += report(pool, bad(), 100, runs)
    print(f"\n{time.perf_counter() - began:.0f} s; goals missed: {', '.join(missed) or 'none'}")
    sys.exit(bool(missed))


def report(
    pool: "multiprocessing.pool.Pool", cells: Sequence[Cell], first: int, runs: int
) -> list[str]:
    """Prints a line a cell; names those that miss their goal."""
    missed = []
    for number, cell in enumerate(cells, first):
        found = measure(pool, cell, number, runs)
        line, reached = of_quiet(found) if cell.most is not None else of_bad(found)
        print(line, flush=True)
        if not reached:
            missed.append(f"{cell.scenario.name} at {cell.scenario.rps:g} rps")
    return missed


if __name__ == "__main__":
    main()
