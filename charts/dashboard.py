"""Makes the Grafana dashboard of the chart from the engines' tables.

``python charts/dashboard.py``; ``--check`` only compares. An engine's names stand in its own module
and nowhere else.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from martlet_operator.engines.known import DIALECTS
from martlet_operator.engines.measures import GuardMetric, Measures, Series

Object = dict[str, Any]

FILE = Path(__file__).parent / "martlet" / "files" / "rollouts.json"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
OURS = 'namespace=~"$namespace", service=~"$service"'
WIDTH, HEIGHT = 8, 8
ENGINES: list[Measures] = [dialect.measures for dialect in DIALECTS.values()]
LATENCIES: dict[str, GuardMetric] = {
    "Time to first token": "TimeToFirstToken",
    "Between tokens": "InterTokenLatency",
    "Whole requests": "EndToEndLatency",
}
COLOURS = {
    "Pass|Baking": "green",
    "Insufficient|Loading|Stepping|Promoting": "blue",
    "NoData|ProviderError": "orange",
    "Fail|RollingBack": "red",
}


def main() -> int:
    text = json.dumps(dashboard(), indent=1) + "\n"
    if "--check" not in sys.argv:
        FILE.write_text(text)
    elif not FILE.exists() or FILE.read_text() != text:
        print(f"{FILE.name} differs from what charts/dashboard.py makes: run it")
        return 1
    return 0


def dashboard() -> Object:
    rows = [("Rollouts", rollouts()), ("Engines", engines()), ("Operator", operator())]
    return {
        "uid": "martlet-rollouts",
        "title": "Martlet: rollouts",
        "tags": ["martlet"],
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": variables()},
        "panels": list(placed(rows)),
    }


def variables() -> list[Object]:
    source = {"name": "datasource", "type": "datasource", "query": "prometheus"}
    return [
        source,
        variable("namespace", "label_values(martlet_service_ready_replicas, namespace)"),
        variable(
            "service",
            'label_values(martlet_service_ready_replicas{namespace=~"$namespace"}, service)',
        ),
    ]


def variable(name: str, query: str) -> Object:
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": query,
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


def rollouts() -> list[Object]:
    by = "by (namespace, service, "
    weight = f"sum {by}revision, role) (martlet_rollout_weight_percent{{{OURS}}})"
    ended = f"increase(martlet_rollouts_ended_total{{{OURS}}}[1d])"
    rejected = f"sum {by}reason) (martlet_service_rejected_revisions{{{OURS}}})"
    return [
        panel("Requests by revision, asked of the gateway", "percent", weight,
              "{{service}} {{revision}} ({{role}})", most=100),
        panel("State", "none", f"martlet_rollout_state{{{OURS}}}", "{{service}} {{state}}",
              kind="state-timeline"),
        panel("Verdicts", "none", f"martlet_rollout_guard_verdict{{{OURS}}}",
              "{{service}} {{guard}}: {{verdict}}", kind="state-timeline"),
        panel("Evidence against the canary: at 1 it goes back", "none",
              f"max {by}guard) ({progress('fail')})", "{{service}} {{guard}}", most=1),
        panel("Evidence for it: at 1 the guard passes", "none",
              f"max {by}guard) ({progress('pass')})", "{{service}} {{guard}}", most=1),
        panel("Until maxDuration", "s",
              f"martlet_rollout_deadline_timestamp_seconds{{{OURS}}} - time()", "{{service}}"),
        panel("Ready pods of the stable revision", "none",
              f"sum by (namespace, service) (martlet_service_ready_replicas{{{OURS}}})",
              "{{service}}"),
        panel("Ended, in the last day", "none", f"sum {by}result) ({ended})",
              "{{service}} {{result}}", kind="bargauge"),
        panel("Rejected revisions, by why", "none", rejected, "{{service}} {{reason}}",
              kind="bargauge"),
    ]  # fmt: skip


def progress(towards: str) -> str:
    return f'martlet_rollout_guard_progress_ratio{{{OURS}, towards="{towards}"}}'


def engines() -> list[Object]:
    answered, failed = rates("requests"), rates("errors")
    return [
        panel("Requests answered, a second", "reqps", answered),
        # Whoever has had no failure yet may have no series of them.
        panel("Requests that failed", "percentunit",
              f"({failed} or 0 * {answered}) / {answered}", most=1),
        panel("Tokens, a second", "none", rates("generated_tokens")),
        *(panel(f"{title}, 95th percentile", "s", quantile(m)) for title, m in LATENCIES.items()),
        panel("Requests worked on", "none", levels("running", "sum")),
        panel("Requests that wait", "none", levels("waiting", "sum")),
        panel("Cache of keys and values in use", "percentunit",
              levels("cache_use", "max"), most=1),
    ]  # fmt: skip


def operator() -> list[Object]:
    waits = 'workqueue_queue_duration_seconds_bucket{name="martlet"}'
    pages = "martlet_watch_page_duration_seconds_bucket"
    return [
        panel("Since the pods were last read", "s",
              f"time() - martlet_rollout_watched_timestamp_seconds{{{OURS}}}", "{{service}}"),
        panel("Engines' pages, a second", "none",
              f"sum by (result) ({rate('martlet_watch_pages_total')})", "{{result}}"),
        panel("An engine's page, 95th percentile", "s", upper(f"sum by (le) ({rate(pages)})"),
              "page"),
        panel("Resources by phase", "none", "sum by (kind, phase) (martlet_resources)",
              "{{kind}} {{phase}}"),
        panel("Waits for the operator, 95th percentile", "s",
              upper(f"sum by (le) ({rate(waits)})"), "queue"),
        panel("Waiting for the operator", "none", 'sum(workqueue_depth{name="martlet"})', "keys"),
        panel("Passes, a second", "none",
              f"sum by (controller, result) ({rate('controller_runtime_reconcile_total')})",
              "{{controller}} {{result}}"),
        panel("Writes to the API server, a second", "none",
              f"sum by (kind) ({rate('martlet_api_writes_total')})", "{{kind}}"),
        panel("Leads", "none", 'sum(leader_election_master_status{name="martlet"})', "operators"),
    ]  # fmt: skip


def rates(measure: str) -> str:
    """What one of an engine's measures grows by a second, of whichever engine."""
    return either("sum by (namespace, revision)", map(rate, selectors(measure)))


def levels(measure: str, fold: str) -> str:
    """One that goes up and down, ``fold``ed over a revision's pods."""
    return either(f"{fold} by (namespace, revision)", selectors(measure))


def quantile(metric: GuardMetric) -> str:
    """Of a histogram of whichever engine."""
    named = [each.histograms[metric] for each in ENGINES if metric in each.histograms]
    buckets = [Series(f"{each.name}_bucket", each.labels) for each in named]
    parts = [rate(selector(each)) for each in buckets]
    return upper(either("sum by (namespace, revision, le)", parts))


def either(fold: str, parts: Iterable[str]) -> str:
    """Each part is marked, or ``or`` would drop what differs from another in its name alone."""
    marked = [f'label_replace({part}, "part", "{n}", "", "")' for n, part in enumerate(parts)]
    return f"{fold} ({' or '.join(marked)})"


def selectors(measure: str) -> list[str]:
    """Two engines may have the same series."""
    found = [selector(series) for each in ENGINES for series in getattr(each, measure)]
    return list(dict.fromkeys(found))


def selector(series: Series) -> str:
    matched = [f'{label}=~"{pattern}"' for label, pattern in series.labels.items()]
    return f"{series.name}{{{', '.join([OURS, *matched])}}}"


def rate(counted: str) -> str:
    return f"rate({counted}[$__rate_interval])"


def upper(buckets: str) -> str:
    return f"histogram_quantile(0.95, {buckets})"


def panel(
    title: str,
    unit: str,
    query: str,
    legend: str = "{{revision}}",
    *,
    kind: str = "timeseries",
    most: float | None = None,
) -> Object:
    limits = {} if most is None else {"min": 0, "max": most}
    # A panel of bars shows the mean where it is not told otherwise.
    last = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return {
        "title": title,
        "type": kind,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": unit, **limits}, "overrides": coloured(kind)},
        **({"options": last} if kind == "bargauge" else {}),
        "targets": [{"refId": "A", "datasource": SOURCE, "expr": query, "legendFormat": legend}],
    }


def coloured(kind: str) -> list[Object]:
    """States and verdicts by what they mean, where they are shown as such."""
    if kind != "state-timeline":
        return []
    return [
        {
            "matcher": {"id": "byRegexp", "options": f"/({names})$/"},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
        }
        for names, colour in COLOURS.items()
    ]


def placed(rows: list[tuple[str, list[Object]]]) -> Iterable[Object]:
    """Three in a line under the title of each row."""
    number, top = 0, 0
    for title, panels in rows:
        number += 1
        yield {"id": number, "type": "row", "title": title, "panels": [], "collapsed": False,
               "gridPos": {"x": 0, "y": top, "w": 24, "h": 1}}  # fmt: skip
        top += 1
        for place, each in enumerate(panels):
            number += 1
            at = {"x": place % 3 * WIDTH, "y": top + place // 3 * HEIGHT}
            yield {"id": number, **each, "gridPos": {**at, "w": WIDTH, "h": HEIGHT}}
        top += -(-len(panels) // 3) * HEIGHT


if __name__ == "__main__":
    sys.exit(main())
