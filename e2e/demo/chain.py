"""The chain of digests behind what is served. Pure."""

from __future__ import annotations

from typing import Any

from demo.story import title_of

Object = dict[str, Any]


def chain(resources: list[Object]) -> list[str]:
    """From the served revision back to the data, one line a link."""
    by_title = {title_of(item): item for item in resources}
    service = next(item for item in resources if item["kind"] == "InferenceService")
    stable = service["status"]["stable"]
    lines = [f"{title_of(service)} revision {stable['revision']} serves {stable['digest']}"]
    for gate in service["spec"].get("gates", []):
        lines.append(_verdict(by_title[f"EvalRun/{gate['evalRun']}"]))
    return lines + _made(service, by_title, depth=1)


def _made(item: Object, by_title: dict[str, Object], depth: int) -> list[str]:
    lines = []
    for link in item["status"].get("madeFrom", []):
        source = link.get("resource")
        lines.append(
            f"{'  ' * depth}{link['name']:12} {link['digest']} {source or _uri(item, link)}"
        )
        if source in by_title:
            lines += _made(by_title[source], by_title, depth + 1)
    return lines


def _uri(item: Object, link: Object) -> str:
    found = (r["uri"] for r in item["status"].get("resolved", []) if r["name"] == link["name"])
    return next(found, "")


def _verdict(run: Object) -> str:
    verdict = run["status"]["verdict"]
    return f"  {title_of(run)} passed for {verdict['modelDigest']}: {verdict['message']}"
