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
from martlet_operator.engines.measures import GENERATES, Measures

Object = dict[str, Any]

FILE = Path(__file__).parent / "martlet" / "files" / "rollouts.json"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
OURS = 'namespace=~"$namespace", service=~"$service"'
WIDTH, HEIGHT = 8, 8
ALL: list[Measures] = [dialect.measures for dialect in DIALECTS.values()]
HTTP = f'http_requests_total{{{OURS}, handler=~"{GENERATES}", method="POST"'


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
    weight = f"sum by (service, revision, role) (martlet_rollout_weight_percent{{{OURS}}})"
    progress = f"martlet_rollout_guard_progress_ratio{{{OURS}}}"
    return [
        panel("Requests by revision, asked of the gateway", "percent", weight,
              "{{service}} {{revision}} ({{role}})", most=100),
        panel("State", "none", f"martlet_rollout_state{{{OURS}}}", "{{service}} {{state}}",
              kind="state-timeline"),
        panel("Verdicts", "none", f"martlet_rollout_guard_verdict{{{OURS}}}",
              "{{service}} {{guard}}: {{verdict}}", kind="state-timeline"),
        panel("Evidence against the canary: at 1 it goes back", "none",
              f'max by (service, guard) ({progress[:-1]}, towards="fail"}})',
              "{{service}} {{guard}}", most=1),
        panel("Evidence for it: at 1 the guard passes", "none",
              f'max by (service, guard) ({progress[:-1]}, towards="pass"}})',
              "{{service}} {{guard}}", most=1),
        panel("Ended, in the last day", "none",
              f"sum by (service, result) (increase(martlet_rollouts_ended_total{{{OURS}}}[1d]))",
              "{{service}} {{result}}", kind="bargauge"),
    ]  # fmt: skip


def engines() -> list[Object]:
    return [
        panel("Requests answered, a second", "reqps", f"sum by (revision) (rate({HTTP}}}[1m]))"),
        panel("Requests that failed", "percentunit",
              f'sum by (revision) (rate({HTTP}, status=~"5.."}}[1m]))'
              f" / sum by (revision) (rate({HTTP}}}[1m]))"),
        panel("Tokens, a second", "none",
              f"sum by (revision) (rate({named('generated_tokens')}[1m]))"),
        *(
            panel(f"{title}, 95th percentile", "s", quantile(metric))
            for title, metric in (
                ("Time to first token", "TimeToFirstToken"),
                ("Between tokens", "InterTokenLatency"),
                ("Whole requests", "EndToEndLatency"),
            )
        ),
        panel("Requests worked on", "none", f"sum by (revision) ({named('running')})"),
        panel("Requests that wait", "none", f"sum by (revision) ({named('waiting')})"),
        panel("Cache of keys and values in use", "percentunit",
              f"max by (revision) ({named('cache_use')})", most=1),
    ]  # fmt: skip


def operator() -> list[Object]:
    waits = 'workqueue_queue_duration_seconds_bucket{name="martlet"}'
    return [
        panel("Ready pods of the stable revision", "none",
              f"sum by (service) (martlet_service_ready_replicas{{{OURS}}})", "{{service}}"),
        panel("Since the pods were last read", "s",
              f"time() - martlet_rollout_watched_timestamp_seconds{{{OURS}}}", "{{service}}"),
        panel("Resources by phase", "none", "sum by (kind, phase) (martlet_resources)",
              "{{kind}} {{phase}}"),
        panel("Waits for the operator, 95th percentile", "s",
              f"histogram_quantile(0.95, sum by (le) (rate({waits}[5m])))", "queue"),
        panel("Passes, a second", "none",
              "sum by (controller, result) (rate(controller_runtime_reconcile_total[5m]))",
              "{{controller}} {{result}}"),
        panel("Writes to the API server, a second", "none",
              "sum by (kind) (rate(martlet_api_writes_total[5m]))", "{{kind}}"),
    ]  # fmt: skip


def named(measure: str) -> str:
    """Series of whichever engine, by a measure's names."""
    return _any(series.name for measures in ALL for series in getattr(measures, measure))


def quantile(metric: str) -> str:
    """Of a histogram of whichever engine."""
    found = [m.histograms[metric].name for m in ALL if metric in m.histograms]  # type: ignore[index]
    rate = f"rate({_any(f'{name}_bucket' for name in found)}[1m])"
    return f"histogram_quantile(0.95, sum by (revision, le) ({rate}))"


def _any(names: Iterable[str]) -> str:
    return f'{{__name__=~"{"|".join(names)}", {OURS}}}'


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
    return {
        "title": title,
        "type": kind,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": unit, **limits}, "overrides": []},
        "targets": [{"refId": "A", "datasource": SOURCE, "expr": query, "legendFormat": legend}],
    }


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
