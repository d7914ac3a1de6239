from __future__ import annotations

from pathlib import Path

import test_rollouts
from rollouts.prometheus import configuration, of_cluster, panels, targets

POD = {
    "metadata": {"name": "p", "namespace": "team", "labels": {"martlet.dev/name": "chat"}},
    "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 8080}]}, {}]},
    "status": {"podIP": "10.0.0.1"},
}
FILE = Path("/some/targets.json")


def test_the_documents_jobs_are_run_with_targets_from_a_file() -> None:
    jobs = of_cluster(FILE)
    assert [job["job_name"] for job in jobs] == ["martlet", "martlet-engines"]
    assert not any("kubernetes_sd_configs" in job for job in jobs)


def test_targets_have_the_labels_of_prometheus_discovery() -> None:
    labels = {
        "__meta_kubernetes_namespace": "team",
        "__meta_kubernetes_pod_name": "p",
        "__meta_kubernetes_pod_container_port_name": "http",
        "__meta_kubernetes_pod_label_martlet_dev_name": "chat",
    }
    assert targets([POD, {**POD, "status": {}}]) == [
        {"targets": ["10.0.0.1:8080"], "labels": labels}
    ]


def test_they_are_scraped_more_often_than_the_document_says() -> None:
    made = configuration(of_cluster(FILE))["scrape_configs"]
    assert {job["scrape_interval"] for job in made} == {"2s"}
    assert [job.get("honor_labels", False) for job in made] == [True, False]


def test_panels_that_may_be_empty_are_panels() -> None:
    assert set(test_rollouts.EMPTY) < set(panels())
    assert not [expr for expr in panels().values() if "$" in expr]
