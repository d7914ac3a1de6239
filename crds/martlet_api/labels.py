"""Labels and annotations that Martlet reads or writes."""

OWNER = "martlet.dev/owner"
"""On a resource: the team it belongs to; copied into the record of what the resource makes."""

QUEUE = "kueue.x-k8s.io/queue-name"
"""On a resource that runs to an end: Kueue's queue, which says when the working pods may start."""
APPROVED_SAMPLE = "martlet.dev/approved-sample"
"""On a FineTuneJob: the digest of the audit's sample that a person has approved."""

KIND = "martlet.dev/kind"
NAME = "martlet.dev/name"
RUN = "martlet.dev/run"
STAGE = "martlet.dev/stage"
REVISION = "martlet.dev/revision"
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "martlet"
