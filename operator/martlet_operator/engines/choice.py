"""Which engine serves a model, and why another cannot. Pure, so that the same spec and model always
have the same engine.

What engines do not read is known for the versions of our images; of a user's own image nothing is
known, and it is not asked.
"""

from dataclasses import dataclass, replace

from martlet_api.engine import Engine, EngineStatus, EngineType
from martlet_api.pods import PodSettings
from martlet_operator.engines import arguments
from martlet_operator.engines.dialect import EngineDialect, Processor, processor
from martlet_operator.engines.known import DIALECTS
from martlet_operator.inputs.models import KnownModel

_PLAIN = ("safetensors", "peft-adapter")
_FIRST = next(iter(DIALECTS))


@dataclass(frozen=True)
class _Case:
    """What an engine is chosen by. ``model`` is None where it is not known yet."""

    on: Processor
    accelerator: str | None
    model: KnownModel | None
    own_image: bool
    image_field: str = "spec.pod.image"

    @property
    def adapter(self) -> bool:
        return self.model is not None and self.model.is_adapter

    @property
    def quantized(self) -> str | None:
        """The format of compressed weights; None for plain ones, and where it is not known."""
        found = self.model.format if self.model and not self.adapter else None
        return None if found in _PLAIN else found


def choose(engine: Engine, model: KnownModel, pod: PodSettings) -> EngineStatus:
    """The engine that ``spec.engine`` names, or the first that can serve the model."""
    case = _case(model, pod)
    if engine.type != "Auto":
        return _told(engine.type, case, f"spec.engine.type names {engine.type}.")
    name = _first_fit(case)
    return _told(name, case, _why(DIALECTS[name], case))


def chosen(engine: Engine, model: KnownModel, pod: PodSettings) -> Engine:
    """The settings with the engine that was chosen."""
    return engine.model_copy(update={"type": choose(engine, model, pod).type})


def problem(
    engine: Engine,
    model: KnownModel | None,
    pod: PodSettings,
    *,
    image_field: str = "spec.pod.image",
) -> str | None:
    """Why no engine serves the model as the spec asks, and what to do; None where one does. Without
    a model: what is wrong whatever it is. ``image_field`` is where the spec has ``pod.image``."""
    case = replace(_case(model, pod), image_field=image_field)
    name = engine.type if engine.type != "Auto" else _first_fit(case)
    return _unfit(DIALECTS[name], case) or _wrong_words(DIALECTS[name], case, engine.args or [])


def _case(model: KnownModel | None, pod: PodSettings) -> _Case:
    return _Case(processor(pod), pod.accelerator, model, pod.image is not None)


def _first_fit(case: _Case) -> EngineType:
    """The first of all where none fits."""
    return next((name for name in DIALECTS if _unfit(DIALECTS[name], case) is None), _FIRST)


def _told(name: EngineType, case: _Case, reason: str) -> EngineStatus:
    version = None if case.own_image else DIALECTS[name].versions.get(case.on)
    return EngineStatus(type=name, version=version, reason=reason)


def _unfit(dialect: EngineDialect, case: _Case) -> str | None:
    """Why an engine cannot serve it; the first thing that is wrong."""
    if case.on not in dialect.formats:
        return _not_here(dialect, case)
    if not case.own_image and case.on not in dialect.versions:
        return (
            f"Martlet has no image of {dialect.type} for {case.accelerator}; name one in "
            f"{case.image_field}."
        )
    if case.adapter and dialect.adapter_problem:
        return (
            f"{dialect.title(case.on)} {dialect.adapter_problem}. Set spec.tuner.merge where the "
            "adapter is made, or use vLLM."
        )
    if case.quantized and not case.own_image and not _reads(dialect, case):
        return _unread(dialect, case)
    return None


def _wrong_words(dialect: EngineDialect, case: _Case, args: list[str]) -> str | None:
    """What of the user's arguments the engine would not take."""
    for name in dialect.adapter_args if case.adapter else ():
        if any(word.partition("=")[0] == name for word in args):
            return f"Martlet sets {dialect.type}'s {name} where an adapter is served; remove it."
    return None if case.own_image else arguments.problem(dialect, case.on, args)


def _not_here(dialect: EngineDialect, case: _Case) -> str:
    if case.on == "CPU":
        return f"{dialect.type} needs an accelerator; name one in spec.pod.accelerator or use vLLM."
    return f"{dialect.type} does not run on {case.accelerator}; use vLLM, or other accelerators."


def _reads(dialect: EngineDialect, case: _Case) -> bool:
    return case.quantized is None or case.quantized in dialect.formats.get(case.on, frozenset())


def _unread(dialect: EngineDialect, case: _Case) -> str:
    readers = [other.type for other in DIALECTS.values() if _reads(other, case)]
    can = f"use {' or '.join(readers)}" if readers else "name a model in another format"
    return f"{dialect.title(case.on)} does not read the format {case.quantized}; {can}."


def _why(dialect: EngineDialect, case: _Case) -> str:
    """The reason of Auto's choice."""
    title = dialect.type if case.own_image else dialect.title(case.on)
    if case.on == "CPU":
        return f"{title}: no other engine runs on a CPU."
    first = DIALECTS[_FIRST]
    if dialect is not first:
        return f"{title}: {first.title(case.on)} does not read the format {case.quantized}."
    if case.adapter:
        return f"{title}: it serves an adapter beside its base, under its own name."
    what = f"the format {case.quantized}" if case.quantized else "plain weights"
    return f"{title}: it reads {what}, and is the engine that Martlet is tested with."
