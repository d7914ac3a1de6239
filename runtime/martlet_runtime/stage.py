"""Stage: the init container that lays the inputs out and checks every file's digest."""

from martlet_api.conditions import Reason
from martlet_api.contract import Input, Plan, ServePlan, Termination
from martlet_runtime import models
from martlet_runtime.artifacts import verify
from martlet_runtime.engines import formats
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report
from martlet_runtime.sources import source_of


def run(plan: Plan, paths: Paths, report: Report) -> Termination:
    """DigestMismatch where something is not what was locked."""
    size = sum(bring(wanted, paths) for wanted in plan.inputs)
    if plan.serve:
        check_format(plan.serve, paths)
    return Termination(
        flow="stage",
        succeeded=True,
        reason=Reason.SUCCEEDED,
        message=f"Brought {len(plan.inputs)} inputs of {size} bytes.",
    )


def bring(wanted: Input, paths: Paths) -> int:
    """Lays one input out as ``inputs/NAME``; returns its bytes."""
    assert wanted.digest is not None
    target = paths.inputs / wanted.name
    source_of(wanted).bring(wanted, paths, target)
    # A link's own name is not the file's: the listing names the file that it leads to.
    return verify(target.resolve(), wanted.digest).bytes


def check_format(serve: ServePlan, paths: Paths) -> None:
    config = models.config_of(paths.inputs / "model")
    formats.check(config, on_accelerator=serve.on_accelerator)
