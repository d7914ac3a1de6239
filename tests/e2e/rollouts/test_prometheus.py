from __future__ import annotations

import test_rollouts
from rollouts.prometheus import configuration, of_cluster, panels


def test_the_documents_jobs_are_run_from_outside_the_cluster() -> None:
    jobs = of_cluster("/some/kubeconfig")
    assert [job["job_name"] for job in jobs] == ["martlet", "martlet-engines"]
    found = [d for job in jobs for d in job["kubernetes_sd_configs"]]
    assert found == [{"role": "pod", "kubeconfig_file": "/some/kubeconfig"}] * 2


def test_they_are_scraped_more_often_than_the_document_says() -> None:
    made = configuration(of_cluster("/some/kubeconfig"))["scrape_configs"]
    assert {job["scrape_interval"] for job in made} == {"2s"}
    assert [job.get("honor_labels", False) for job in made] == [True, False]


def test_panels_that_may_be_empty_are_panels() -> None:
    assert set(test_rollouts.EMPTY) < set(panels())
    assert not [expr for expr in panels().values() if "$" in expr]
