"""Stage: the init container that lays the inputs out and checks every file's digest."""

from martlet_api.conditions import Reason
from martlet_api.contract import Input, Plan, ServePlan, Termination
from martlet_runtime import cache, models
from martlet_runtime.cache import Store
from martlet_runtime.engines import formats, lmdeploy
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report
from martlet_runtime.sources import lay_out


def run(plan: Plan, paths: Paths, report: Report) -> Termination:
    """DigestMismatch where something is not what was locked."""
    store = cache.of_pod(paths)
    size = sum(bring(wanted, paths, store) for wanted in plan.inputs)
    if plan.serve:
        check_format(plan.serve, paths)
    return Termination(
        flow="stage",
        succeeded=True,
        reason=Reason.SUCCEEDED,
        message=f"Brought {len(plan.inputs)} inputs of {size} bytes.",
        cache=store and store.told(),
    )


def bring(wanted: Input, paths: Paths, store: Store | None = None) -> int:
    """Lays one input out as ``inputs/NAME``; returns its bytes."""
    return lay_out(wanted, paths, store, paths.inputs / wanted.name).bytes


def check_format(serve: ServePlan, paths: Paths) -> None:
    """SGLang asks its kernels itself, when it starts."""
    config = models.config_of(paths.inputs / "model")
    if serve.engine == "vLLM":
        formats.check(config, on_accelerator=serve.on_accelerator)
    elif serve.engine == "LMDeploy":
        lmdeploy.check(config)
