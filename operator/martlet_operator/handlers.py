"""Every kopf decorator. Events put keys on the queue and do nothing else."""

from collections.abc import Mapping
from typing import Any

import kopf

from martlet_api import API_VERSION, labels
from martlet_api.kinds import KINDS
from martlet_operator.reconcile.dependents import Dependents
from martlet_operator.reconcile.kept import Kept
from martlet_operator.reconcile.queue import Key, WorkQueue

_OWNED = (
    ("batch", "v1", "jobs"),
    ("", "v1", "pods"),
    ("apps", "v1", "deployments"),
    ("gateway.networking.k8s.io", "v1", "httproutes"),
)
_MANAGED = {labels.MANAGED_BY: labels.MANAGER}


def register(
    registry: kopf.OperatorRegistry, queue: WorkQueue, dependents: Dependents, kept: Kept
) -> None:
    """Watches our kinds and what they own."""

    async def own(namespace: str | None, name: str, body: kopf.Body, **_: Any) -> None:
        key = Key(body["kind"], namespace or "", name)
        kept.told(key, body["metadata"]["resourceVersion"])
        queue.add(key)
        for dependent in dependents.of(key):
            kept.changed(dependent)
            queue.add(dependent)

    async def owned(namespace: str | None, labels: Mapping[str, str], **_: Any) -> None:
        key = Key(labels[_KIND], namespace or "", labels[_NAME])
        kept.changed(key)
        queue.add(key)

    group, version = API_VERSION.split("/")
    for cls in KINDS.values():
        kopf.on.event(group, version, cls.plural, registry=registry)(own)
    for owned_group, owned_version, plural in _OWNED:
        kopf.on.event(owned_group, owned_version, plural, labels=_MANAGED, registry=registry)(owned)

    @kopf.on.login(registry=registry)
    async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.startup(registry=registry)
    async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.networking.request_timeout = 30
        settings.watching.server_timeout = 300
        settings.watching.client_timeout = 330
        settings.scanning.disabled = False
        settings.persistence.diffbase_storage = _NoDifferences()


class _NoDifferences(kopf.DiffBaseStorage):
    """For handlers of changes kopf copies each object at each event; we take events alone."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing is kept on the objects."""


_KIND, _NAME = labels.KIND, labels.NAME
