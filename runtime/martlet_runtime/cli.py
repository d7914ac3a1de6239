"""``python -m martlet_runtime FLOW``: reads the plan, runs the flow, writes how it ended."""

import argparse
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType

from martlet_api import contract
from martlet_api.conditions import Reason
from martlet_api.contract import Plan, Termination
from martlet_api.termination import MARK, TooLong, encode
from martlet_runtime.errors import (
    FlowError,
    RetryableError,
    UserError,
    from_os_error,
    out_of_memory,
)
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report
from martlet_runtime.train import launch

Flow = Callable[[Plan, Paths, Report], Termination]

FLOWS = {
    "preflight": "martlet_runtime.preflight",
    "stage": "martlet_runtime.stage",
    "lease": "martlet_runtime.cache.lease",
    "train": "martlet_runtime.train.flow",
    "evaluate": "martlet_runtime.evaluate.flow",
    "compare": "martlet_runtime.evaluate.compare",
    "quantize": "martlet_runtime.quantize.flow",
    "verify": "martlet_runtime.verify",
}
"""Modules are imported when their flow runs: only some need torch."""

_QUIET = ("preflight", "stage", "lease", "compare", "verify")
_EXIT_FAULT = 1


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="martlet_runtime", description=__doc__)
    parser.add_argument("flow", choices=sorted(FLOWS))
    parser.add_argument("--plan", type=Path, default=Path(contract.PLAN_PATH))
    args = parser.parse_args(argv)
    paths = Paths(plan=args.plan)
    if args.flow == "train":
        train = Plan.model_validate_json(args.plan.read_text()).train
        if train and launch.is_needed(train):
            return launch.run(train, launch.command(), paths.work, paths.termination)
    if own := os.environ.get(launch.TERMINATION_ENV):
        paths = replace(paths, termination=Path(own))
    return run(args.flow, args.plan, paths, serve=args.flow not in _QUIET)


def run(name: str, plan_path: Path, paths: Paths, *, serve: bool = False) -> int:
    """Runs one flow to its end and returns the exit code of the contract."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        ended = _flow(name, plan_path, paths, serve=serve)
    except FlowError as error:
        code = contract.EXIT_USER_ERROR if isinstance(error, UserError) else contract.EXIT_RETRYABLE
        ended = _failed(name, error)
    except Exception as error:  # noqa: BLE001 - the last line of defence, told with its traceback
        traceback.print_exc()
        code = _EXIT_FAULT
        text = f"{type(error).__name__}: {error}. This is a fault of Martlet's; it is tried again."
        ended = _failed(name, FlowError(Reason.INTERNAL_ERROR, text))
    else:
        code = contract.EXIT_SUCCESS if ended.succeeded else contract.EXIT_USER_ERROR
    print(f"{ended.reason}: {ended.message}", flush=True)
    code, text = _told(name, code, ended)
    paths.termination.write_text(text)
    return code


def _told(name: str, code: int, ended: Termination) -> tuple[int, str]:
    """The exit code, and what the kubelet keeps; what nobody can read of it is in the log."""
    try:
        text = encode(ended)
    except TooLong as error:
        message = (
            f"{error} Ask for fewer metrics or suites, or give inputs and suites shorter names, "
            "then set a new spec.retry."
        )
        code, text = (
            contract.EXIT_USER_ERROR,
            encode(_failed(name, UserError(Reason.RESULT_TOO_LONG, message))),
        )
        print(f"{Reason.RESULT_TOO_LONG}: {message}", flush=True)
    if text.startswith(MARK):
        print(ended.model_dump_json(by_alias=True, exclude_none=True), flush=True)
    return code, text


def _flow(name: str, plan_path: Path, paths: Paths, *, serve: bool) -> Termination:
    plan = Plan.model_validate_json(plan_path.read_text())
    report = Report()
    if serve and os.environ.get("RANK", "0") == "0":
        report.serve()
    flow: Flow = importlib.import_module(FLOWS[name]).run
    try:
        return flow(plan, paths, report)
    except MemoryError as error:
        raise out_of_memory() from error
    except OSError as error:
        if told := from_os_error(error):
            raise told from error
        raise


def _failed(name: str, error: FlowError) -> Termination:
    return Termination(flow=name, succeeded=False, reason=error.reason, message=error.message)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise RetryableError(
        Reason.POD_FAILED, "The pod was told to stop before it was done; it is started again."
    )


if __name__ == "__main__":
    sys.exit(main())
