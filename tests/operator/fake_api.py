"""An API server of dicts: enough of get, list, apply, patch, create and delete for a reconciler.

And the rest of a cluster, as far as Martlet sees it: Jobs get pods that end as told, Deployments
become ready, routes are accepted.
"""

import itertools
import json
from collections.abc import Callable
from typing import Any

from martlet_api import labels
from martlet_operator.cluster.client import Client
from martlet_operator.cluster.resources import RESOURCE_TYPES
from martlet_operator.errors import error_for

Object = dict[str, Any]
Place = tuple[str, str, str]
"""Plural, namespace, name."""

_KINDS = {entry.plural: entry for entry in RESOURCE_TYPES.values()}
_SERVER_FIELDS = ("uid", "resourceVersion", "creationTimestamp", "generation")


class FakeClient(Client):
    """The real client over a table of objects. ``on_write`` is called before and after each write
    and may raise."""

    def __init__(self) -> None:
        super().__init__(api=None)
        self.table: dict[Place, Object] = {}
        self.writes: list[str] = []
        self.on_write: Callable[[str, str], None] = lambda when, what: None
        self._numbers = itertools.count(1)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> Object:
        parts = path.strip("/").split("/")
        parts = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = ""
        if parts[0] == "namespaces":
            _, namespace, *parts = parts
        plural, name, part = (*parts, "", "")[:3]
        if method == "GET":
            return self._read(plural, namespace, name, query or {})
        what = f"{method} {plural}/{name or (body or {})['metadata']['name']}{part and '/' + part}"
        self.on_write("before", what)
        answer = self._write(method, (plural, namespace, name), part, body or {}, content_type)
        self.writes.append(what)
        self.on_write("after", what)
        return _copy(answer)

    def put(self, item: Object) -> Object:
        """Somebody else makes or changes an object."""
        item = _copy(item)
        metadata = item["metadata"]
        entry = RESOURCE_TYPES[item["kind"]]
        place = (entry.plural, metadata["namespace"], metadata["name"])
        return self._store(place, item, self.table.get(place))

    def versions(self) -> dict[Place, str]:
        return {p: item["metadata"]["resourceVersion"] for p, item in self.table.items()}

    def find(self, kind: str) -> list[Object]:
        plural = RESOURCE_TYPES[kind].plural
        return [item for place, item in sorted(self.table.items()) if place[0] == plural]

    def one(self, kind: str, name: str) -> Object:
        return next(item for item in self.find(kind) if item["metadata"]["name"] == name)

    def _read(self, plural: str, namespace: str, name: str, query: dict[str, str]) -> Object:
        if name:
            if (plural, namespace, name) not in self.table:
                raise error_for(404, f"{plural} {name} not found")
            return _copy(self.table[plural, namespace, name])
        wanted = [term.split("=") for term in query.get("labelSelector", "").split(",") if term]
        items = [
            item
            for (p, ns, _), item in sorted(self.table.items())
            if p == plural and namespace in ("", ns)
            if all(item["metadata"].get("labels", {}).get(k) == v for k, v in wanted)
            if _has_fields(item, query.get("fieldSelector", ""))
        ]
        return {"items": _copy(items)}

    def _write(
        self, method: str, place: Place, part: str, body: Object, content_type: str
    ) -> Object:
        if method == "POST":
            place = (place[0], place[1], body["metadata"]["name"])
            if place in self.table:
                raise error_for(409, "exists already")
            return self._store(place, _copy(body), None)
        live = self.table.get(place)
        if method == "DELETE":
            return self._delete(place, body)
        if method == "PUT":
            return self._replace(place, body, live)
        if part == "status":
            return self._status(place, body, live)
        if "merge" in content_type:
            return self._store(place, _merged(live or {}, body), live)
        applied = _copy(body)
        if live and "status" in live:
            applied["status"] = live["status"]
        return self._store(place, applied, live)

    def _replace(self, place: Place, body: Object, live: Object | None) -> Object:
        if live is None:
            raise error_for(404, "not found")
        if body["metadata"].get("resourceVersion") != live["metadata"]["resourceVersion"]:
            raise error_for(409, "the object has been modified")
        return self._store(place, _copy(body), live)

    def _status(self, place: Place, body: Object, live: Object | None) -> Object:
        if live is None:
            raise error_for(404, "not found")
        if body["metadata"]["uid"] != live["metadata"]["uid"]:
            raise error_for(409, "uid mismatch")
        return self._store(place, {**live, "status": _copy(body["status"])}, live)

    def _store(self, place: Place, item: Object, live: Object | None) -> Object:
        entry = _KINDS.get(place[0])
        if entry:
            item = {**item, "apiVersion": entry.api_version, "kind": entry.kind}
        metadata = dict(item["metadata"])
        number = next(self._numbers)
        fresh = {
            "uid": f"uid-{number}",
            "resourceVersion": str(number),
            "creationTimestamp": f"2026-01-01T00:{number // 60 % 60:02}:{number % 60:02}Z",
            "generation": 1,
        }
        former = live["metadata"] if live else {}
        for field in _SERVER_FIELDS:
            metadata[field] = former.get(field, metadata.get(field, fresh[field]))
        item = {**item, "metadata": metadata}
        if live is not None and item != live:
            changed = item.get("spec") != live.get("spec")
            metadata["generation"] = former["generation"] + int(changed)
            metadata["resourceVersion"] = fresh["resourceVersion"]
        self.table[place] = json.loads(json.dumps(item, allow_nan=False))
        return self.table[place]

    def _delete(self, place: Place, options: Object) -> Object:
        live = self.table.get(place)
        if live is None:
            raise error_for(404, "not found")
        if options["preconditions"]["uid"] != live["metadata"]["uid"]:
            raise error_for(409, "uid mismatch")
        self.remove(place)
        return {"kind": "Status"}

    def remove(self, place: Place) -> None:
        """Deletes an object and what it owns, as the garbage collector does."""
        gone = self.table.pop(place)["metadata"]["uid"]
        for other, item in list(self.table.items()):
            owners = item["metadata"].get("ownerReferences", [])
            if other in self.table and any(owner["uid"] == gone for owner in owners):
                self.remove(other)


def _copy(item: Any) -> Any:
    """As the wire does it: much faster than deepcopy."""
    return json.loads(json.dumps(item))


def _has_fields(item: Object, selector: str) -> bool:
    for term in filter(None, selector.split(",")):
        path, value = term.split("=")
        found: Any = item
        for key in path.split("."):
            found = found.get(key, {})
        if found != value:
            return False
    return True


def _merged(live: Object, patch: Object) -> Object:
    out = dict(live)
    for key, value in patch.items():
        out[key] = _merged(out.get(key, {}), value) if isinstance(value, dict) else value
    return out


class Cluster:
    """What controllers, kubelet and gateway do. ``says`` gives a Job's pod's end: exit code and
    termination message."""

    def __init__(self, client: FakeClient, says: Callable[[Object], tuple[int, str]]) -> None:
        self.client, self.says = client, says

    def step(self) -> bool:
        """Lets everything get on by one step; tells whether anything did."""
        before = self.client.versions()
        for job in self.client.find("Job"):
            self._job(job)
        for deployment in self.client.find("Deployment"):
            ready = {"readyReplicas": deployment["spec"]["replicas"]}
            self.client.put({**deployment, "status": ready})
        for route in self.client.find("HTTPRoute"):
            accepted = {
                "type": "Accepted",
                "status": "True",
                "observedGeneration": route["metadata"]["generation"],
            }
            parents = [{"conditions": [accepted]}]
            self.client.put({**route, "status": {"parents": parents}})
        return self.client.versions() != before

    def _job(self, job: Object) -> None:
        if job["spec"].get("suspend") or job.get("status", {}).get("conditions"):
            return
        code, message = self.says(job)
        stage = job["metadata"]["labels"][labels.STAGE]
        self.client.put(job_pod(job, stage, code, message))
        verdict = "Failed" if code else "Complete"
        conditions = [{"type": verdict, "status": "True", "message": "over"}]
        self.client.put({**job, "status": {"conditions": conditions}})


def job_pod(job: Object, stage: str, code: int, message: str, number: int = 1) -> Object:
    """The pod of a Job, ended."""
    metadata = job["metadata"]
    terminated = {"exitCode": code, "message": message, "reason": "Error" if code else "Completed"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-{number}",
            "namespace": metadata["namespace"],
            "labels": job["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": [{"kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}],
        },
        "spec": job["spec"]["template"]["spec"],
        "status": {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [
                {"name": stage, "image": "i", "state": {"terminated": terminated}}
            ],
        },
    }
