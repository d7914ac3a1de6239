"""Which settings to train with, by what each would need: pure, of a function that tells that."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from martlet_api.contract import EstimatePlan
from martlet_api.training import Strategy, can_share
from martlet_runtime.estimate.memory import Memory, Setting

Needs = Callable[[EstimatePlan, Setting], Memory]

_SHORTEST = 128
_MOST_ROWS = 16


@dataclass(frozen=True)
class Choice:
    """The setting to train with, what it needs, and whether that is there (None: not known)."""

    setting: Setting
    memory: Memory
    fits: bool | None


def choose(plan: EstimatePlan, needs: Needs, room: int | None) -> Choice:
    """The first setting that fits into ``room`` bytes: rather DDP than FSDP, rather no gradient
    checkpointing, then rather more rows a pass, since all are faster. The leanest where none
    fits; few rows where what there is, is not known."""
    settings = list(_settings(plan))
    if room is None:
        usual = _usual(plan, settings)
        return Choice(usual, needs(plan, usual), None)
    for strategy in strategies(plan):
        for checkpointing in sorted({s.gradient_checkpointing for s in settings}):
            rows = {s.micro_batch_size for s in settings}
            kind = Setting(0, checkpointing, strategy)
            if found := _most_rows(plan, needs, room, kind, sorted(rows)):
                return found
    leanest = _leanest(settings)
    return Choice(leanest, needs(plan, leanest), False)


def strategies(plan: EstimatePlan) -> list[Strategy]:
    """Those that may be taken, the fastest first."""
    if plan.strategy != "Auto":
        return [plan.strategy]
    may_share = plan.processes > 1 and can_share(plan.method, plan.tuner, plan.hyperparameters)
    return ["DDP", "FSDP"] if may_share else ["DDP"]


def alternatives(plan: EstimatePlan, needs: Needs, room: int) -> Iterator[tuple[str, int]]:
    """(what to change in the spec, bytes needed then): the nearest settings that would fit."""
    for text, changed in _changes(plan):
        memory = needs(changed, _leanest(list(_settings(changed))))
        if memory.total <= room:
            yield text, memory.total


def _settings(plan: EstimatePlan) -> Iterator[Setting]:
    params = plan.hyperparameters
    least = 2 if plan.method == "KTO" else 1
    own = params.global_batch_size // plan.processes
    divisors = [n for n in (1, 2, 4, 8, _MOST_ROWS) if own % n == 0]
    rows = [params.micro_batch_size] if params.micro_batch_size else divisors
    switches = {"Enabled": [True], "Disabled": [False], "Auto": [False, True]}
    for checkpointing in switches[params.gradient_checkpointing]:
        for count in rows:
            if count >= least:
                for strategy in strategies(plan):
                    yield Setting(count, checkpointing, strategy)


def _usual(plan: EstimatePlan, settings: list[Setting]) -> Setting:
    """DDP and few rows; on an accelerator whose memory is not known, checkpointing as ms-swift
    does."""
    wanted = {s.gradient_checkpointing for s in settings}
    checkpointing = plan.on_accelerator if len(wanted) == 2 else wanted.pop()
    return min(
        (s for s in settings if s.gradient_checkpointing == checkpointing),
        key=lambda s: (s.strategy != strategies(plan)[0], s.micro_batch_size),
    )


def _leanest(settings: list[Setting]) -> Setting:
    return min(
        settings,
        key=lambda s: (s.strategy == "DDP", not s.gradient_checkpointing, s.micro_batch_size),
    )


def _most_rows(
    plan: EstimatePlan, needs: Needs, room: int, kind: Setting, rows: list[int]
) -> Choice | None:
    """Memory grows by the same for every row, so two rehearsals tell the rest; what is chosen is
    rehearsed itself."""
    least = needs(plan, replace(kind, micro_batch_size=rows[0]))
    if least.total > room:
        return None
    best = Choice(replace(kind, micro_batch_size=rows[0]), least, True)
    if len(rows) == 1:
        return best
    second = needs(plan, replace(kind, micro_batch_size=rows[1]))
    growth = (second.total - least.total) / (rows[1] - rows[0])
    fitting = [n for n in rows if least.total + growth * (n - rows[0]) <= room]
    for count in reversed(fitting[1:]):
        setting = replace(kind, micro_batch_size=count)
        memory = second if count == rows[1] else needs(plan, setting)
        if memory.total <= room:
            return Choice(setting, memory, True)
    return best


def _changes(plan: EstimatePlan) -> Iterator[tuple[str, EstimatePlan]]:
    """From the mildest on."""
    params = plan.hyperparameters
    if params.gradient_checkpointing == "Disabled":
        yield (
            "hyperparameters.gradientCheckpointing Auto",
            _with(plan, gradient_checkpointing="Auto"),
        )
    if (params.micro_batch_size or 1) > 1:
        yield "hyperparameters.microBatchSize 1", _with(plan, micro_batch_size=1)
    length = params.max_length // 2
    while length >= _SHORTEST:
        yield f"hyperparameters.maxLength {length}", _with(plan, max_length=length)
        length //= 2
    for kind in ("LoRA", "QLoRA"):
        if plan.tuner.type in {"LoRA": ("Full",), "QLoRA": ("Full", "LoRA")}[kind]:
            yield f"tuner.type {kind}", _tuned(plan, kind)


def _with(plan: EstimatePlan, **changes: object) -> EstimatePlan:
    return plan.model_copy(
        update={"hyperparameters": plan.hyperparameters.model_copy(update=changes)}
    )


def _tuned(plan: EstimatePlan, kind: str) -> EstimatePlan:
    params = {"optimizer": "AdamW"}
    return _with(plan, **params).model_copy(
        update={"tuner": plan.tuner.model_copy(update={"type": kind, "init_lora_weights": None})}
    )
