"""How the processes of a run share its model: DDP, FSDP2, or DeepSpeed's ZeRO.

accelerate takes FSDP and DeepSpeed on accelerators alone and falls back to DDP on a CPU without a
word. So its state is made here, before a trainer asks for it, and what came of it is looked at
before the first step.
"""

import os
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import DistributedType
from torch.distributed.tensor import DTensor
from transformers import TrainerCallback

from martlet_api.training import Strategy

_KINDS = {
    "FSDP": DistributedType.MULTI_GPU,  # of which accelerate makes FSDP
    "ZeRO2": DistributedType.DEEPSPEED,
    "ZeRO3": DistributedType.DEEPSPEED,
}


def arguments(strategy: Strategy, dtype: torch.dtype) -> dict[str, Any]:
    """transformers' TrainingArguments of a strategy, of a run of several processes."""
    on_cpu = not torch.cuda.is_available()
    backend = "gloo" if on_cpu else "nccl"
    if on_cpu:
        _prepare_on_cpu(strategy)
    given: dict[str, Any] = {"accelerator_config": {"use_configured_state": on_cpu}}
    if strategy == "DDP":
        return {**given, "ddp_backend": backend, "ddp_find_unused_parameters": False}
    if strategy == "FSDP":
        # Else whole gradients pile up from pass to pass until a step is done.
        given["accelerator_config"]["gradient_accumulation_kwargs"] = {"sync_each_batch": True}
        return {**given, "fsdp": True, "fsdp_config": {"version": 2}}
    return {**given, "use_cpu": False, "deepspeed": _deepspeed(strategy, dtype)}


def _prepare_on_cpu(strategy: Strategy) -> None:
    PartialState(cpu=True, backend="gloo")
    # accelerate says cpu:0, to which torch loads no optimizer.
    PartialState._shared_state["device"] = torch.device("cpu")
    if strategy == "DDP":
        return
    PartialState._shared_state["distributed_type"] = _KINDS[strategy]
    if strategy != "FSDP":
        os.environ["DS_ACCELERATOR"] = "cpu"
        import deepspeed

        # Made by a compiler, which our image has not, for what gloo does as well.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
        deepspeed.init_distributed(dist_backend="gloo", auto_mpi_discovery=False)


def _deepspeed(strategy: Strategy, dtype: torch.dtype) -> dict[str, Any]:
    """DeepSpeed's configuration; transformers fills in what is ``auto``, buckets by the model's
    width."""
    return {
        "bf16": {"enabled": dtype == torch.bfloat16},
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "zero_allow_untested_optimizer": True,
        "zero_optimization": {
            "stage": int(strategy[-1]),
            "contiguous_gradients": True,
            "reduce_bucket_size": "auto",
            "stage3_prefetch_bucket_size": "auto",
            "stage3_param_persistence_threshold": "auto",
            "stage3_gather_16bit_weights_on_model_save": True,
        },
    }


class Watch(TrainerCallback):  # type: ignore[misc]
    """Raises RuntimeError before the first step where another strategy runs than was asked for."""

    def __init__(self, strategy: Strategy, processes: int) -> None:
        self._strategy, self._processes = strategy, processes

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, **more: Any
    ) -> None:
        if self._processes == 1:
            return
        running = running_strategy(model, more["optimizer"])
        if running != self._strategy:
            raise RuntimeError(f"{self._strategy} was asked for and {running} would run")
        here, whole = held(model)
        print(f"{running} over {self._processes} processes: {here} of {whole} weights lie here.")


def running_strategy(model: Any, optimizer: Any) -> Strategy:
    """By what the weights and the optimizer are."""
    weights = list(model.parameters())
    if any(isinstance(item, DTensor) for item in weights):
        return "FSDP"
    if any(hasattr(item, "ds_tensor") for item in weights):
        return "ZeRO3"
    inner = getattr(optimizer, "optimizer", None)
    return "ZeRO2" if getattr(inner, "partition_gradients", False) else "DDP"


def held(model: Any) -> tuple[int, int]:
    """(numbers of the weights that lie in this process, numbers of all weights)."""
    here = whole = 0
    for item in model.parameters():
        local = item.to_local() if isinstance(item, DTensor) else getattr(item, "ds_tensor", item)
        here += local.numel()
        whole += getattr(item, "ds_numel", item.numel())
    return here, whole


def gathered(trainer: Any, strategy: Strategy, *, learnt_alone: bool) -> dict[str, Any] | None:
    """The whole weights on the first process's CPU, for which all processes must ask; None where
    each has them anyway. ``learnt_alone`` leaves out what did not learn."""
    if strategy == "FSDP":
        from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

        options = StateDictOptions(
            full_state_dict=True, cpu_offload=True, ignore_frozen_params=learnt_alone
        )
        return get_model_state_dict(trainer.model, options=options)
    if strategy == "ZeRO3":
        engine = trainer.model_wrapped
        state: dict[str, Any] = engine._zero3_consolidated_16bit_state_dict(
            exclude_frozen_parameters=learnt_alone
        )
        return state
    return None
