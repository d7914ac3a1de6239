from __future__ import annotations

import test_rollouts
from rollouts.prometheus import configuration, panels


def test_the_documents_jobs_are_run_from_outside_the_cluster() -> None:
    made = configuration("/some/kubeconfig")
    assert [job["job_name"] for job in made["scrape_configs"]] == ["martlet", "martlet-engines"]
    found = [d for job in made["scrape_configs"] for d in job["kubernetes_sd_configs"]]
    assert found == [{"role": "pod", "kubeconfig_file": "/some/kubeconfig"}] * 2


def test_panels_that_may_be_empty_are_panels() -> None:
    assert set(test_rollouts.EMPTY) < set(panels())
    assert not [expr for expr in panels().values() if "$" in expr]
