"""python -m demo: the whole road once, told as it goes."""

from __future__ import annotations

import sys
import time

from cluster.settings import from_environment
from cluster.shell import CommandError
from cluster.steps import StepError, step
from demo import chain, gateway, install, road, times
from demo.usage import Usage


def main() -> int:
    """0 when the served model answered."""
    started = time.monotonic()
    try:
        _demo(started)
    except (road.RoadError, StepError, CommandError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _demo(started: float) -> None:
    kube = install.prepare(from_environment())
    with step("install the operator"):
        install.operator(kube)
    with step("clear an earlier quickstart"):
        road.clear(kube)
    ground = time.monotonic()
    with step("train a small base model"):
        road.base_model(kube)
    based = time.monotonic()
    road.apply(kube)
    usage = Usage(kube)

    def tell(line: str) -> None:
        print(f"{time.monotonic() - based:6.1f} s  {line}", flush=True)

    resources = road.watch(kube, tell, usage.sample)
    answer, _ = gateway.ask(kube, road.HOST, road.MODEL, road.QUESTION)
    done = time.monotonic()
    print(f"\nasked through the gateway: {road.QUESTION}\nanswered:                  {answer}\n")
    print("\n".join(["The chain of digests:", *chain.chain(resources), ""]))
    pods = kube.list("pods", road.NAMESPACE)
    print("\n".join(["Where the time went:", *times.table(times.stages(pods)), ""]))
    service = next(item for item in resources if item["kind"] == "InferenceService")
    print("\n".join(["The service, from apply to Ready:", *times.service_parts(service, pods), ""]))
    print(usage.line())
    print(
        f"ground {ground - started:.0f} s, base model {based - ground:.0f} s, "
        f"road {done - based:.0f} s, in all {done - started:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
