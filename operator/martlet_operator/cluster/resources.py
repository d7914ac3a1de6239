"""Where each kind lives in the API."""

from dataclasses import dataclass

from martlet_api import API_VERSION
from martlet_api.kinds import KINDS


@dataclass(frozen=True)
class ResourceType:
    """A kind with its API version and the plural of its paths."""

    kind: str
    api_version: str
    plural: str

    def path(self, namespace: str | None, name: str = "") -> str:
        """The URL path of one object, or of the collection where ``name`` is empty."""
        root = "/api" if "/" not in self.api_version else "/apis"
        scope = f"/namespaces/{namespace}" if namespace else ""
        tail = f"/{name}" if name else ""
        return f"{root}/{self.api_version}{scope}/{self.plural}{tail}"


_TYPES = (
    *(ResourceType(cls.kind, API_VERSION, cls.plural) for cls in KINDS.values()),
    ResourceType("Job", "batch/v1", "jobs"),
    ResourceType("Pod", "v1", "pods"),
    ResourceType("Node", "v1", "nodes"),
    ResourceType("ConfigMap", "v1", "configmaps"),
    ResourceType("PersistentVolumeClaim", "v1", "persistentvolumeclaims"),
    ResourceType("Service", "v1", "services"),
    ResourceType("Event", "v1", "events"),
    ResourceType("Deployment", "apps/v1", "deployments"),
    ResourceType("Gateway", "gateway.networking.k8s.io/v1", "gateways"),
    ResourceType("HTTPRoute", "gateway.networking.k8s.io/v1", "httproutes"),
)

RESOURCE_TYPES = {entry.kind: entry for entry in _TYPES}
