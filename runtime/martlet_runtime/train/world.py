"""The processes of one training run, which may be spread over pods."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist

from martlet_api import contract
from martlet_api.conditions import Reason
from martlet_api.contract import TrainPlan
from martlet_runtime.errors import RetryableError

_LOST = re.compile(
    r"Connection (closed|reset|refused)|Broken pipe|Timed out waiting|wait timeout|"
    r"NCCL (error|communicator)|gloo/transport|TCPStore|Rank \d+ successfully reached",
    re.IGNORECASE,
)
"""How torch.distributed words it that another process is gone."""


def join(train: TrainPlan) -> None:
    """Tells torch.distributed who this process is; nothing where it is alone or was told."""
    if train.processes == 1 or "RANK" in os.environ:
        return
    node = os.environ[contract.NODE_RANK_ENV]
    os.environ.update(
        RANK=node,
        LOCAL_RANK="0",
        WORLD_SIZE=str(train.processes),
        LOCAL_WORLD_SIZE="1",
        MASTER_ADDR=os.environ[contract.MASTER_ENV],
        MASTER_PORT=str(contract.MASTER_PORT),
    )


def rank() -> int:
    return dist.get_rank() if _together() else 0


def barrier() -> None:
    """Waits for all processes."""
    if _together():
        dist.barrier()


def any_of(flag: bool) -> bool:
    """True in all processes if it is in one."""
    if not _together():
        return flag
    device = "cuda" if torch.cuda.is_available() else "cpu"
    told = torch.tensor([int(flag)], device=device)
    dist.all_reduce(told, op=dist.ReduceOp.MAX)
    return bool(told.item())


@contextmanager
def lost_peers_told() -> Iterator[None]:
    """PeerLost, which is retried, where another pod of the run is gone."""
    try:
        yield
    except RuntimeError as error:
        if not (_together() and _LOST.search(str(error))):
            raise
        raise RetryableError(
            Reason.PEER_LOST,
            f"Another pod of the run was lost ({str(error).splitlines()[0][:200]}). All of them "
            "are started again and go on from the last checkpoint.",
        ) from error


def _together() -> bool:
    return dist.is_available() and dist.is_initialized()
