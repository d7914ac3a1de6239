"""What was trained, as files: an adapter, a whole model, or both merged."""

import json
from pathlib import Path
from typing import Any

from martlet_api.contract import TrainPlan
from martlet_api.runs import ArtifactBase
from martlet_runtime.loading import merge
from martlet_runtime.models import ADAPTER_CONFIG
from martlet_runtime.paths import Paths
from martlet_runtime.train import strategies
from martlet_runtime.train.methods import METHODS
from martlet_runtime.train.precision import dtype_of
from martlet_runtime.train.tuners import TUNERS

State = dict[str, Any]


def kind(train: TrainPlan) -> str:
    """The artifact's format. A reward model is no model that an engine could let answer."""
    prefix = "reward-" if METHODS[train.method].head else ""
    if _is_adapter(train):
        return f"{prefix or 'peft-'}adapter"
    return f"{prefix}model" if prefix else "safetensors"


def base(train: TrainPlan) -> ArtifactBase | None:
    """What the artifact must be laid over."""
    return train.base if _is_adapter(train) else None


def gathered(trainer: Any, train: TrainPlan) -> State | None:
    """What was trained, from all processes, each of which must ask; None where each has it."""
    adapter = train.tuner.type != "Full"
    state = strategies.gathered(trainer, train.strategy, learnt_alone=adapter)
    if state is None or adapter:
        return state
    # FSDP keeps what learns in full precision.
    return {name: value.to(dtype_of(train.precision)) for name, value in state.items()}


def save(
    trainer: Any, train: TrainPlan, paths: Paths, folder: Path, state: State | None = None
) -> None:
    """Writes what was trained into a folder; ``state`` is what was gathered of it."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if train.tuner.type == "Full":
        model.save_pretrained(folder, state_dict=state)
    elif train.tuner.merge:
        _save_merged(model, train, paths, folder, state)
    else:
        _save_adapter(model, train, paths, folder, state)
        return
    trainer.processing_class.save_pretrained(folder)


def served_rank(folder: Path) -> int | None:
    """The rank of an adapter that engines can load as it is: a plain LoRA."""
    path = folder / ADAPTER_CONFIG
    if not path.exists():
        return None
    config = json.loads(path.read_text())
    plain = config["peft_type"] == "LORA" and not config["use_dora"]
    return max(config["r"], *config["rank_pattern"].values(), 0) if plain else None


def _is_adapter(train: TrainPlan) -> bool:
    return train.tuner.type != "Full" and not train.tuner.merge


def _save_adapter(
    model: Any, train: TrainPlan, paths: Paths, folder: Path, state: State | None
) -> None:
    """The adapter names its base by URI: the path in this pod means nothing elsewhere."""
    for adapter in model.peft_config.values():
        adapter.base_model_name_or_path = train.base.uri
    TUNERS[train.tuner.type].save(model, folder, paths.work, state)
    # PEFT's model card names the path of the base in this pod.
    (folder / "README.md").unlink(missing_ok=True)


def _save_merged(
    model: Any, train: TrainPlan, paths: Paths, folder: Path, state: State | None
) -> None:
    """Into the base as it is: what was trained over may be in 4 bits, or lack PiSSA's part."""
    adapter = paths.work / "adapter"
    _save_adapter(model, train, paths, adapter, state)
    load = METHODS[train.method].load
    merge(load(paths, dtype_of(train.precision)), adapter).save_pretrained(folder)
