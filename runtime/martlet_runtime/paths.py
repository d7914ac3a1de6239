"""Where things are in a pod; tests put them elsewhere."""

from dataclasses import dataclass
from pathlib import Path

from martlet_api import contract


@dataclass(frozen=True)
class Paths:
    """``inputs``: what stage lays out. ``volumes``: the claims. ``work``: scratch space.
    ``cache``: the volume of the cache. ``plan``: written by the kubelet when the pod begins, and
    not again."""

    inputs: Path = Path(contract.INPUTS_PATH)
    work: Path = Path(contract.WORK_PATH)
    volumes: Path = Path(contract.VOLUMES_PATH)
    termination: Path = Path(contract.TERMINATION_PATH)
    cache: Path = Path(contract.CACHE_PATH)
    plan: Path = Path(contract.PLAN_PATH)

    def of_claim(self, uri: str) -> Path:
        """The path of a ``pvc://CLAIM/PATH``."""
        return self.volumes / uri.removeprefix("pvc://")
