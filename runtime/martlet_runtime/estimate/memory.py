"""What training holds of an accelerator's memory, and the settings that it depends on."""

from dataclasses import dataclass

from martlet_api.training import Strategy


@dataclass(frozen=True)
class Memory:
    """Bytes. ``total`` is the most that was there at once; ``activations`` what of it is neither
    weights nor what an optimizer needs. ``adapter`` is a part of the weights that learns."""

    weights: int
    adapter: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        return self.weights + self.adapter + self.gradients + self.optimizer + self.activations


@dataclass(frozen=True)
class Setting:
    """What is left to choose."""

    micro_batch_size: int
    gradient_checkpointing: bool
    strategy: Strategy = "DDP"
