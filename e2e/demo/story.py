"""What changed, one line a change. Pure."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
Told = dict[str, str]
"""Kind/name to the line that was told last."""


def changes(resources: list[Object], told: Told) -> list[str]:
    """New lines, which are also put into ``told``."""
    lines = []
    for item in resources:
        title = title_of(item)
        line = describe(item)
        if line and told.get(title) != line:
            told[title] = line
            lines.append(f"{title:34} {line}")
    return lines


def title_of(item: Object) -> str:
    return f"{item['kind']}/{item['metadata']['name']}"


def describe(item: Object) -> str:
    """Phase, and what Ready says."""
    status = item.get("status") or {}
    ready = ready_of(item)
    return f"{status.get('phase', ''):12} {ready.get('message', '')}" if ready else ""


def ready_of(item: Object) -> Object:
    conditions = (item.get("status") or {}).get("conditions", [])
    found: Object = next((c for c in conditions if c["type"] == "Ready"), {})
    return found


def is_ready(item: Object) -> bool:
    return ready_of(item).get("status") == "True"


def has_failed(item: Object) -> bool:
    return (item.get("status") or {}).get("phase") == "Failed"
