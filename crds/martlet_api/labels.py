"""Labels and annotations that Martlet reads or writes."""

OWNER = "martlet.dev/owner"
"""On a resource: the team it belongs to; copied into the record of what the resource makes."""

QUEUE = "kueue.x-k8s.io/queue-name"
"""On a resource that runs to an end: Kueue's queue, which says when the working pods may start."""
APPROVED_SAMPLE = "martlet.dev/approved-sample"
"""On a FineTuneJob: the digest of the audit's sample that a person has approved."""

CACHE = "martlet.dev/cache"
"""On a PersistentVolumeClaim, as ``enabled``: it keeps what the pods of its namespace bring."""
CACHE_LIMIT = "martlet.dev/cache-limit"
"""Annotation of such a claim: how much of it may be used, as a quantity."""

KIND = "martlet.dev/kind"
NAME = "martlet.dev/name"
RUN = "martlet.dev/run"
STAGE = "martlet.dev/stage"
REVISION = "martlet.dev/revision"
ENGINE = "martlet.dev/engine"
"""On the pods of a revision: whose metrics page they have."""
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "martlet"
