"""What one engine says differently from the others."""

from collections.abc import Callable
from dataclasses import dataclass

from martlet_api.engine import Engine
from martlet_api.pods import PodSettings
from martlet_operator.engines.measures import Measures
from martlet_operator.inputs.models import KnownModel
from martlet_operator.settings import Images


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
    """An engine's image, command, arguments and variables, all pure, and what its page tells."""

    image: Callable[[Images, PodSettings], str]
    command: tuple[str, ...]
    arguments: Callable[[Launch], list[str]]
    environment: Callable[[Launch], dict[str, str]]
    measures: Measures
