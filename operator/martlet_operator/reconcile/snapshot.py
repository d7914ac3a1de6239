"""All that a decision may look at."""

from dataclasses import dataclass, field, replace
from typing import Any

from martlet_operator.cluster.routing import Roads
from martlet_operator.inferenceservice.rollout.guarding import Watched
from martlet_operator.inputs.cache import Cache
from martlet_operator.inputs.references import References

Object = dict[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """A resource, what it refers to, what it owns, and what its pods report.

    ``pages`` maps a pod's name to the gauges of its metrics page, of running pods alone.
    ``warnings`` maps the name of an owned object to the newest Warning Event about it, of objects
    that should have pods and have none. ``accelerator_memory`` is in bytes, of the smallest
    accelerator that the resource's pods may get; None where no node tells it. ``cache`` is
    the namespace's, if it has one. ``peers`` are the other resources of its kind there, where
    they may have done the same work. ``free_pods`` is for how many more pods of a service there are
    accelerators; None where that is not known or none are needed. ``watched`` is what the pages of
    a rollout's pods said since the pass before. ``roads`` is what is known of its way in.
    """

    resource: Object
    references: References = field(default_factory=dict)
    owned: list[Object] = field(default_factory=list)
    pods: list[Object] = field(default_factory=list)
    pages: dict[str, dict[str, float]] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)
    accelerator_memory: int | None = None
    cache: Cache | None = None
    peers: list[Object] = field(default_factory=list)
    free_pods: int | None = None
    watched: Watched = field(default_factory=Watched)
    roads: Roads = field(default_factory=Roads)

    def of(self, resource: Object) -> "Snapshot":
        """The same about the resource as it is now."""
        me = (str(resource["kind"]), self.name)
        return replace(self, resource=resource, references={**self.references, me: resource})

    @property
    def namespace(self) -> str:
        return str(self.resource["metadata"]["namespace"])

    @property
    def name(self) -> str:
        return str(self.resource["metadata"]["name"])

    @property
    def generation(self) -> int:
        return int(self.resource["metadata"].get("generation", 0))

    def owned_object(self, kind: str, name: str) -> Object | None:
        return next(
            (o for o in self.owned if o["kind"] == kind and o["metadata"]["name"] == name), None
        )

    def pods_with(self, label: str, value: str) -> list[Object]:
        return [p for p in self.pods if p["metadata"].get("labels", {}).get(label) == value]
