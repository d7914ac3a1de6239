"""Engines that fail on purpose: an image for tests alone, and the arguments that choose a fault."""

from __future__ import annotations

from pathlib import Path

from catalog import BY_NAME
from cluster import existing, images
from cluster.settings import Settings
from cluster.steps import step
from demo import install
from store import Store

_FOLDER = Path(__file__).with_name("faulty")
_NAME = "vllm-cpu-faulty"


def image() -> str:
    """vLLM for CPUs with the module of faults."""
    return f"{install.registry()}/{_NAME}:{install.VERSION}"


def prepare(settings: Settings) -> str:
    """The image, built in about a second over vllm-cpu's layers, and known to the cluster.

    A cluster that is not ours must find it in REGISTRY: build ``faulty/Containerfile`` there.
    """
    if not existing.wanted():
        with step(f"build and import {_NAME}"):
            _build(Store(settings.buildah_root.parent))
            images.import_images(settings, [image()])
    return image()


def _build(store: Store) -> None:
    words = ["build", "--layers", "--isolation", "chroot", "--pull-never"]
    words += ["--build-arg", f"BASE={BY_NAME['vllm-cpu'].tag}", "--tag", image()]
    with store.held():
        store.logged(_NAME, store.command(*words, str(_FOLDER)))


def errors(percent: int, *, after: int) -> list[str]:
    """Arguments of an engine that answers a share of its requests with 500."""
    return _middleware(f"Errors{percent}PercentAfter{after}")


def slow(milliseconds: int, *, after: int) -> list[str]:
    """Arguments of an engine whose first token comes late."""
    return _middleware(f"SlowBy{milliseconds}MsAfter{after}")


def dies(*, after: int) -> list[str]:
    """Arguments of an engine that ends in the midst of an answer."""
    return _middleware(f"DiesAfter{after}")


def hides_metrics() -> list[str]:
    """Arguments of an engine whose page of metrics is not there."""
    return _middleware("HidesMetrics")


def _middleware(name: str) -> list[str]:
    return ["--middleware", f"martlet_faults.{name}"]
