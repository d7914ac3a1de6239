"""Prometheus' own tool reads the alerts and the dashboard's queries, and tries each alert."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from cluster import packages
from cluster.settings import from_environment
from rollouts.prometheus import filled

# Debian's package of Prometheus is installed as those of the API server are.
pytestmark = pytest.mark.apiserver

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "charts" / "martlet" / "files"
RULES = yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"][0]["rules"]
PANELS = json.loads((FILES / "rollouts.json").read_text())["panels"]


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    packages.install(from_environment(), packages.PROMETHEUS_NEEDED)


def promtool(*words: str | Path) -> str:
    command = ["promtool", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_are_rules() -> None:
    assert f"SUCCESS: {len(RULES)} rules found" in promtool("check", "rules", FILES / "alerts.yaml")


def test_each_alert_fires_where_it_should_and_nowhere_else() -> None:
    text = (Path(__file__).parent / "alerts_test.yaml").read_text()
    assert [rule["alert"] for rule in RULES if rule["alert"] not in text] == []
    assert "SUCCESS" in promtool("test", "rules", Path(__file__).parent / "alerts_test.yaml")


def test_each_alert_says_what_to_do_and_is_in_the_docs() -> None:
    docs = (ROOT / "docs" / "observability.md").read_text()
    for rule in RULES:
        assert f"| {rule['alert']} |" in docs
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "description"}


def test_the_queries_of_the_dashboard_are_queries(tmp_path: Path) -> None:
    queries = [target["expr"] for panel in PANELS for target in panel.get("targets", [])]
    assert len(queries) == sum(panel["type"] != "row" for panel in PANELS)
    rules = [{"record": f"panel:{n}", "expr": filled(expr)} for n, expr in enumerate(queries)]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"SUCCESS: {len(queries)} rules found" in promtool("check", "rules", file)
