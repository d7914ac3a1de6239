"""The engines that Martlet knows."""

from martlet_operator.engines import lmdeploy, sglang, vllm
from martlet_operator.engines.measures import GuardMetric, Measures

MEASURES: dict[str, Measures] = {
    "vLLM": vllm.MEASURES,
    "LMDeploy": lmdeploy.MEASURES,
    "SGLang": sglang.MEASURES,
}


def offers(engine: str) -> frozenset[GuardMetric]:
    """The guards that an engine's page tells enough for. KeyError for an unknown engine."""
    return MEASURES[engine].offered
