"""The operator's own metrics, by the names that dashboards for controllers know."""

from collections import Counter as Tally

from prometheus_client import Counter, Gauge, Histogram

_NAME = {"name": "martlet"}

QUEUE_DEPTH = Gauge("workqueue_depth", "Keys that wait.", ["name"]).labels(**_NAME)
QUEUE_ADDS = Counter("workqueue_adds", "Keys added.", ["name"]).labels(**_NAME)
QUEUE_RETRIES = Counter("workqueue_retries", "Keys added again after an error.", ["name"]).labels(
    **_NAME
)
QUEUE_SECONDS = Histogram(
    "workqueue_queue_duration_seconds", "How long a key waited.", ["name"]
).labels(**_NAME)
WORK_SECONDS = Histogram(
    "workqueue_work_duration_seconds", "How long a key was worked on.", ["name"]
).labels(**_NAME)
RECONCILES = Counter(
    "controller_runtime_reconcile", "Reconciles by outcome.", ["controller", "result"]
)
RECONCILE_SECONDS = Histogram(
    "controller_runtime_reconcile_time_seconds", "Duration of a reconcile.", ["controller"]
)
RESOURCES = Gauge("martlet_resources", "Resources by kind and phase.", ["kind", "phase"])
LEADER = Gauge("leader_election_master_status", "1 while this process leads.", ["name"]).labels(
    **_NAME
)
WRITES = Counter("martlet_api_writes", "Writes to the API server.", ["verb", "kind"])
WATCHED_PAGES = Counter(
    "martlet_watch_pages",
    "Engines' pages that rollouts wanted: read, silent where none came, foreign where it was not "
    "the engine's.",
    ["result"],
)
WATCHED_PAGE_SECONDS = Histogram(
    "martlet_watch_page_duration_seconds", "How long an engine took to give its page, or none."
)
WATCHED_QUERIES = Counter(
    "martlet_watch_queries",
    "Guards' queries: Value, or what was wrong: NoData or ProviderError.",
    ["result"],
)

_CACHE = ["namespace", "claim"]
CACHE_INPUTS = Counter(
    "martlet_cache_inputs",
    "Models and data files that pods wanted: hit, miss, or bypass where there was no room.",
    [*_CACHE, "result"],
)
CACHE_SAVED_BYTES = Counter("martlet_cache_saved_bytes", "Bytes that were there already.", _CACHE)
CACHE_BROUGHT_BYTES = Counter("martlet_cache_brought_bytes", "Bytes that were brought.", _CACHE)
CACHE_EVICTIONS = Counter("martlet_cache_evictions", "Entries that made room for others.", _CACHE)
CACHE_EVICTED_BYTES = Counter("martlet_cache_evicted_bytes", "Bytes that made room.", _CACHE)
CACHE_ENTRIES = Gauge("martlet_cache_entries", "Entries, as the last pod left them.", _CACHE)
CACHE_BYTES = Gauge("martlet_cache_size_bytes", "Bytes of all entries, likewise.", _CACHE)
CACHE_LIMIT = Gauge("martlet_cache_limit_bytes", "Bytes that may be kept.", _CACHE)


class PhaseCount:
    """Keeps ``martlet_resources`` true as resources change and go."""

    def __init__(self) -> None:
        self._phases: dict[tuple[str, str, str], str] = {}

    def set(self, kind: str, namespace: str, name: str, phase: str | None) -> None:
        """``phase`` None: the resource is gone."""
        key = (kind, namespace, name)
        former = self._phases.pop(key, None)
        if phase is not None:
            self._phases[key] = phase
        for changed in {former, phase} - {None}:
            tally = Tally(p for (k, _, _), p in self._phases.items() if k == kind)
            RESOURCES.labels(kind=kind, phase=changed).set(tally[changed or ""])
