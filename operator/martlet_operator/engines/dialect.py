"""What one engine says differently from the others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from martlet_api.engine import Engine, EngineType
from martlet_api.pods import PodSettings
from martlet_operator.engines.measures import Measures
from martlet_operator.inputs.models import KnownModel
from martlet_operator.settings import Images

Processor = Literal["CPU", "NVIDIA", "AMD", "other"]
"""What a pod computes on, as far as its extended resource tells."""
_VENDORS: dict[str, Processor] = {"nvidia.com": "NVIDIA", "amd.com": "AMD"}


def processor(pod: PodSettings) -> Processor:
    if pod.accelerator is None:
        return "CPU"
    return _VENDORS.get(pod.accelerator.partition("/")[0], "other")


@dataclass(frozen=True)
class Launch:
    """What an engine is started for.

    ``drain_seconds`` is how long requests may take to their end once the engine is told to stop.
    """

    engine: Engine
    model: KnownModel
    served_name: str
    pod: PodSettings
    drain_seconds: int = 0

    @property
    def on_accelerator(self) -> bool:
        return self.pod.accelerator is not None

    @property
    def accelerators(self) -> int:
        """Accelerators that hold one copy of the model together; 0 on a CPU."""
        return (self.pod.accelerators_per_pod or 1) if self.on_accelerator else 0

    @property
    def base_name(self) -> str:
        """The name that the model in ``INPUTS_PATH/model`` is served under: an adapter has the
        served name, and its base one beside it."""
        return f"{self.served_name}-base" if self.model.is_adapter else self.served_name


@dataclass(frozen=True)
class EngineDialect:
    """One engine, all pure.

    versions: of the images, by what they compute on. Where there is none, the engine may run all
    the same, in the user's own image, if ``formats`` has the processor.
    formats: the ``quant_method`` of a model's config.json that the engine reads, by processor; no
    key where the engine does not run.
    adapter_problem: why it cannot serve an adapter under the served name; None where it can.
    adapter_args: arguments that Martlet sets itself for an adapter.
    flexible: its parser reads _ as -, and a name as ended by a dot.
    image: ours for a processor that ``versions`` has.
    command, arguments, environment: of the container.
    idle_variable: says after how many seconds without a request it closes a connection.
    health_seconds: how long its /health may take to answer.
    measures: what its metrics page tells.
    """

    type: EngineType
    versions: Mapping[Processor, str]
    formats: Mapping[Processor, frozenset[str]]
    image: Callable[[Images, Processor], str]
    command: tuple[str, ...]
    arguments: Callable[[Launch], list[str]]
    environment: Callable[[Launch], dict[str, str]]
    idle_variable: str
    measures: Measures
    adapter_problem: str | None = None
    adapter_args: tuple[str, ...] = ()
    flexible: bool = True
    health_seconds: int = 1

    def title(self, on: Processor) -> str:
        """Its name, with the version of our image if there is one."""
        version = self.versions.get(on)
        return f"{self.type} {version}" if version else self.type
