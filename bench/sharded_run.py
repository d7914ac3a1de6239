"""One of two processes that train together, whose memory is counted by torch's own allocator.

``sharded_run.py FOLDER PORT PLAN...``: for each plan (a file beside FOLDER) prints one line of JSON
with the most bytes that tensors took at once from the first step on.
"""

import gc
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from martlet_api import contract

root, port, plans = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
contract.MASTER_PORT = port

import torch  # noqa: E402
from accelerate.state import AcceleratorState  # noqa: E402
from small_models import real_task  # noqa: E402
from torch._C._profiler import _EventType  # noqa: E402
from torch.autograd.profiler import profile, record_function  # noqa: E402
from torch.distributed import Work  # noqa: E402
from transformers import TrainerCallback  # noqa: E402
from transformers.integrations.deepspeed import unset_hf_deepspeed_config  # noqa: E402

from martlet_api.contract import EstimatePlan  # noqa: E402
from martlet_runtime.estimate.memory import Setting  # noqa: E402
from martlet_runtime.train import finite, world  # noqa: E402
from martlet_runtime.train.methods import METHODS  # noqa: E402

_BEGIN = "bench: the first step"


class Mark(TrainerCallback):
    """Where counting begins: what loading took is over."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 0:
            with record_function(_BEGIN):
                pass


def peak(profiled: profile) -> int:
    """Of the bytes that are allocated, from the mark on.

    What another thread gives back is not told: an address that is allocated again was free.
    """
    begin = next(e.start_ns() for e in profiled.kineto_results.events() if e.name() == _BEGIN)
    held: dict[int, int] = {}
    most = now = 0
    for moment, address, size in sorted(allocations(profiled)):
        now -= held.pop(address, 0)
        if size > 0:
            held[address] = size
            now += size
        if moment >= begin:
            most = max(most, now)
    return most


def allocations(profiled: profile) -> Iterator[tuple[int, int, int]]:
    """(nanoseconds, address, bytes), negative where it is given back."""
    pending = list(profiled.kineto_results.experimental_event_tree())
    while pending:
        event = pending.pop()
        pending.extend(event.children)
        if event.tag == _EventType.Allocation:
            told = event.extra_fields
            yield event.start_time_ns, told.ptr, told.alloc_size


def wait_for_threads() -> None:
    """gloo's threads let go of a collective's tensors a moment after it is over; an accelerator's
    stream has let go by then."""
    plain = Work.wait

    def patient(self: Work, *given: Any, **named: Any) -> bool:
        done = plain(self, *given, **named)
        time.sleep(0.002)
        return bool(done)

    Work.wait = patient


def run(told: dict[str, Any]) -> int:
    plan, setting = EstimatePlan.model_validate(told["plan"]), Setting(*told["setting"])
    AcceleratorState._reset_state(reset_partial_state=True)
    unset_hf_deepspeed_config()
    folder = root / f"work-{os.environ[contract.NODE_RANK_ENV]}"
    gc.collect()  # what an earlier plan held must not be freed while this one is counted
    with profile(profile_memory=True) as profiled:
        task = real_task(plan, setting, root, folder, (Mark(),))
        trainer = METHODS[plan.method].trainer(task)
        finite.watch(trainer)
        trainer.train()
        del trainer, task
    return peak(profiled)


class Two:
    """As much of a TrainPlan as joining needs."""

    processes = 2


world.join(Two())  # type: ignore[arg-type]
torch.set_num_threads(1)
wait_for_threads()
for name in plans:
    print("BENCH " + json.dumps({"peak": run(json.loads(Path(name).read_text()))}), flush=True)
