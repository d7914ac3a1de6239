"""Names of what the operator makes, and the hashes in them."""

import hashlib
import json
from typing import Any

from martlet_api import labels


def digest_of(value: Any) -> str:
    """SHA-256 of the value's canonical JSON, in hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def run_id(value: Any) -> str:
    """Eight digits that tell runs of one resource apart."""
    return digest_of(value)[:8]


def stage_name(resource: str, run: str, stage: str) -> str:
    """The Job and ConfigMap of a stage: at most 52 + 1 + 8 + 1 + 1 characters, a DNS label."""
    return f"{resource}-{run}-{stage[0]}" if len(resource) > 42 else f"{resource}-{run}-{stage}"


def revision_name(resource: str, value: Any) -> str:
    """The Deployment and Service of a revision."""
    return f"{resource}-{digest_of(value)[:8]}"


def owned_labels(kind: str, name: str, **extra: str) -> dict[str, str]:
    """The labels by which what a resource owns is found again."""
    return {
        labels.MANAGED_BY: labels.MANAGER,
        labels.KIND: kind,
        labels.NAME: name,
        **{f"martlet.dev/{key}": value for key, value in extra.items()},
    }


def owner_selector(kind: str, name: str) -> str:
    return f"{labels.MANAGED_BY}={labels.MANAGER},{labels.KIND}={kind},{labels.NAME}={name}"
