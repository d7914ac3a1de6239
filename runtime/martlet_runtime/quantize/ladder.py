"""Which rungs are tried where the spec names none."""

from martlet_api.quantizedmodel import Rung, Workload
from martlet_runtime.engines import formats
from martlet_runtime.engines.formats import Processor

_FIRST = {
    "Online": (Rung(method="AWQ", bits=4, group_size=128), "whose lengths change"),
    "Offline": (Rung(method="GPTQ", bits=4, group_size=128), "in fixed batches"),
}
_SECOND = Rung(method="AutoRound", bits=4, group_size=32)
_FP8, _W8A8, _W8A16 = (Rung(method=name) for name in ("FP8", "W8A8", "W8A16"))
_NATIVE_FP8 = 89
"""The compute capability from which activations are FP8 too."""


def given(ladder: list[Rung]) -> tuple[list[Rung], str]:
    return ladder, "As spec.ladder gives it."


def choose(workload: Workload, where: Processor) -> tuple[list[Rung], str]:
    """The rungs in their order, and a sentence that says why these: 4 bits as the workload likes
    them, then 8 bits as the processor does, without what the engine could not serve there."""
    first, why = _FIRST[workload]
    wanted = [first, _SECOND, *_eight_bits(where)]
    wrong = {rung.method: formats.problem(formats.of_rung(rung), where) for rung in wanted}
    rungs = [rung for rung in wanted if not wrong[rung.method]]
    names = ", ".join(rung.method for rung in rungs)
    text = f"Chosen for {workload} ({first.method} first for requests {why}): {names}."
    reasons: dict[str, list[str]] = {}
    for method, reason in wrong.items():
        if reason:
            reasons.setdefault(reason, []).append(method)
    left = [f" Without {' and '.join(names)}: {reason}." for reason, names in reasons.items()]
    return rungs, text + "".join(left)


def _eight_bits(where: Processor) -> list[Rung]:
    """What the processor reckons with itself comes first."""
    native = where.cpu_flags is None and (where.capability or _NATIVE_FP8) >= _NATIVE_FP8
    return [_FP8, _W8A8, _W8A16] if native else [_W8A8, _FP8, _W8A16]
