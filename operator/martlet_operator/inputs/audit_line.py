"""Who asked for what, in one line."""

from typing import Any

from martlet_api import labels
from martlet_operator.inputs.models import KnownModel, ServedModel
from martlet_operator.inputs.wanted import Inputs

Object = dict[str, Any]

_LIMIT = 4000


def audit_line(resource: Object, inputs: Inputs) -> str:
    """The owner by its label, and each input by URI, commit and digest, as it was locked; of a
    service the revision."""
    owner = resource["metadata"].get("labels", {}).get(labels.OWNER)
    who = owner or f"No owner (label {labels.OWNER})"
    named = [*_asked(inputs.model), *(_named(item) for item in inputs.locked)]
    text = f"{who} asked for {'; '.join(named)}"
    return f"{text}." if len(text) < _LIMIT else f"{text[:_LIMIT]}…"


def _asked(model: KnownModel | None) -> list[str]:
    if not isinstance(model, ServedModel):
        return []
    return [f"model {model.title} {model.digest[:19]}"]


def _named(item: Any) -> str:
    commit = f" at {item.commit[:12]}" if item.commit else ""
    return f"{item.name} {item.uri}{commit} {item.digest[:19]}"
