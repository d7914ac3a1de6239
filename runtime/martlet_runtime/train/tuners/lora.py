"""LoRA: low-rank adapters, by PEFT. Defaults are ms-swift's."""

from pathlib import Path
from typing import Any

from peft import LoraConfig, TaskType

from martlet_api.conditions import Reason
from martlet_api.finetunejob import Tuner
from martlet_runtime.errors import UserError
from martlet_runtime.train.tuners.base import TunerMethod

ALL_LINEAR = "all-linear"


def config(tuner: Tuner, model: Any) -> LoraConfig:
    """InvalidSpec for a module that the model has not: PEFT leaves such a name out in silence."""
    modules = tuner.target_modules or [ALL_LINEAR]
    if modules != [ALL_LINEAR]:
        check_modules(modules, model)
    return LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=tuner.rank or 8,
        lora_alpha=tuner.alpha or 32,
        lora_dropout=0.05 if tuner.dropout is None else tuner.dropout,
        use_rslora=bool(tuner.use_rslora),
        target_modules=ALL_LINEAR if modules == [ALL_LINEAR] else modules,
    )


def check_modules(wanted: list[str], model: Any) -> None:
    """Names are the ends of modules' paths (``q_proj``, ``self_attn.q_proj``), as PEFT's are."""
    known = [
        name
        for name, module in model.named_modules()
        if getattr(module, "weight", None) is not None and module.weight.dim() > 1
    ]
    for name in wanted:
        if not any(f".{path}".endswith(f".{name}") for path in known):
            ends = sorted({path.rpartition(".")[2] for path in known})
            raise UserError(
                Reason.INVALID_SPEC,
                f"The model has no module {name}; it has {', '.join(ends)}. Correct "
                f"spec.tuner.targetModules, or use [{ALL_LINEAR}].",
            )


def save(model: Any, tokenizer: Any, folder: Path, base_uri: str) -> None:
    """The adapter names its base by URI: the path in this pod means nothing elsewhere."""
    for adapter in model.peft_config.values():
        adapter.base_model_name_or_path = base_uri
    model.save_pretrained(folder)
    # PEFT's model card names the path of the base in this pod.
    (folder / "README.md").unlink(missing_ok=True)


TUNER = TunerMethod("peft-adapter", 1e-4, config, save)
