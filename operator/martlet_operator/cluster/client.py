"""The API client on plain dicts: get, list, apply, patch, status, delete.

The one seam for fault injection: everything that the operator asks of the API server goes
through ``Client.request``.
"""

import json
from typing import Any

import aiohttp
from kubernetes.aio import client as kubernetes_client
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client.exceptions import ApiException

from martlet_operator.cluster.resources import RESOURCE_TYPES
from martlet_operator.errors import NotFound, Unavailable, error_for
from martlet_operator.metrics import WRITES

Object = dict[str, Any]

FIELD_MANAGER = "martlet"
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_TIMEOUT = 30.0
_KINDS = {entry.plural: entry.kind for entry in RESOURCE_TYPES.values()}


async def connect() -> "Client":
    """A client from the pod's service account, or from KUBECONFIG outside a cluster."""
    configuration = kubernetes_client.Configuration()
    try:
        kubernetes_config.load_incluster_config(client_configuration=configuration)
    except kubernetes_config.ConfigException:
        await kubernetes_config.load_kube_config(client_configuration=configuration)
    return Client(kubernetes_client.ApiClient(configuration=configuration))


class Client:
    """Errors are those of ``martlet_operator.errors``."""

    def __init__(self, api: Any) -> None:
        self.api = api

    async def close(self) -> None:
        await self.api.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Object:
        if method != "GET":
            WRITES.labels(verb=method.lower(), kind=_kind(path)).inc()
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        serialized = await self.api.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            response = await self.api.call_api(*serialized, _request_timeout=_TIMEOUT)
            data = await response.read()
        except ApiException as error:
            raise error_for(error.status or 0, _message(error.body or error.reason)) from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unavailable(0, f"no answer from the API server: {error!r}") from error
        if response.status >= 300:
            raise error_for(response.status, _message(data))
        return _without_managers(json.loads(data))

    async def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """The object, or None where it does not exist."""
        try:
            return await self.request("GET", RESOURCE_TYPES[kind].path(namespace, name))
        except NotFound:
            return None

    async def list(
        self,
        kind: str,
        namespace: str | None,
        selector: str | None = None,
        fields: str | None = None,
    ) -> list[Object]:
        """Objects by label and field selector; none where the kind is not installed."""
        query = {"labelSelector": selector, "fieldSelector": fields}
        given = {key: value for key, value in query.items() if value}
        try:
            answer = await self.request("GET", RESOURCE_TYPES[kind].path(namespace), query=given)
        except NotFound:
            return []
        entry = RESOURCE_TYPES[kind]
        return [{**item, "kind": kind, "apiVersion": entry.api_version} for item in answer["items"]]

    async def apply(self, desired: Object) -> Object:
        """Server-side apply with force, by our one field manager."""
        return await self.request(
            "PATCH",
            _path(desired),
            query={"fieldManager": FIELD_MANAGER, "force": "true"},
            body=desired,
            content_type=_APPLY,
        )

    async def apply_status(self, desired: Object) -> Object:
        """Applies the status alone; ``metadata.uid`` guards against a namesake made since."""
        return await self.request(
            "PATCH",
            f"{_path(desired)}/status",
            query={"fieldManager": FIELD_MANAGER, "force": "true"},
            body=desired,
            content_type=_APPLY,
        )

    async def merge(self, kind: str, namespace: str, name: str, patch: Object) -> Object:
        """A JSON merge patch, for the one field of a Job that may change."""
        return await self.request(
            "PATCH",
            RESOURCE_TYPES[kind].path(namespace, name),
            query={"fieldManager": FIELD_MANAGER},
            body=patch,
            content_type=_MERGE,
        )

    async def create(self, new: Object) -> Object:
        entry = RESOURCE_TYPES[new["kind"]]
        return await self.request("POST", entry.path(new["metadata"]["namespace"]), body=new)

    async def delete(self, live: Object) -> None:
        """Deletes exactly this object, not a namesake; what it owns follows in the background."""
        metadata = live["metadata"]
        options = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": "Background",
            "preconditions": {"uid": metadata["uid"]},
        }
        try:
            await self.request("DELETE", _path(live), body=options)
        except NotFound:
            return


def _without_managers(answer: Object) -> Object:
    """Who manages which field is no concern of ours, and half of what a small object is."""
    for item in (answer, *(answer.get("items") or [])):
        item.get("metadata", {}).pop("managedFields", None)
    return answer


def _path(item: Object) -> str:
    metadata = item["metadata"]
    return RESOURCE_TYPES[item["kind"]].path(metadata.get("namespace"), metadata["name"])


def _kind(path: str) -> str:
    """The kind that a path of the API is about."""
    parts = path.strip("/").split("/")
    return next((_KINDS[part] for part in reversed(parts) if part in _KINDS), "other")


def _message(body: Any) -> str:
    """The ``message`` of a Status object, or the text as it is."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    try:
        parsed = json.loads(text)
    except ValueError:
        return text[:500]
    return str(parsed.get("message", text)) if isinstance(parsed, dict) else text[:500]
