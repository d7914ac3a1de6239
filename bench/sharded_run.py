"""One of two processes that train together, whose memory is counted by torch's own allocator.

``sharded_run.py FOLDER PORT PLAN...``: for each plan (a file beside FOLDER) prints one line of JSON
with the most bytes that tensors took at once from the first step on.
"""

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

from martlet_api import contract

root, port, plans = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
contract.MASTER_PORT = port

import torch  # noqa: E402
from accelerate.state import AcceleratorState  # noqa: E402
from small_models import real_task  # noqa: E402
from torch.autograd.profiler import profile, record_function  # noqa: E402
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
    """Of the bytes that are allocated, from the mark on."""
    events = profiled.kineto_results.events()
    begin = next(event.start_ns() for event in events if event.name() == _BEGIN)
    most = now = 0
    for event in sorted(
        (e for e in events if e.name() == "[memory]"), key=lambda event: event.start_ns()
    ):
        now += event.nbytes()
        if event.start_ns() >= begin:
            most = max(most, now)
    return most


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
for name in plans:
    print("BENCH " + json.dumps({"peak": run(json.loads(Path(name).read_text()))}), flush=True)
