"""The engines that Martlet knows."""

from martlet_api.engine import EngineType
from martlet_operator.engines import lmdeploy, sglang, vllm
from martlet_operator.engines.dialect import EngineDialect
from martlet_operator.engines.measures import GuardMetric

DIALECTS: dict[EngineType, EngineDialect] = {
    dialect.type: dialect for dialect in (vllm.DIALECT, sglang.DIALECT, lmdeploy.DIALECT)
}
"""In the order in which one is chosen: vLLM is the one that Martlet's tests really run."""


def offers(engine: EngineType) -> frozenset[GuardMetric]:
    """The guards that an engine's page tells enough for."""
    return DIALECTS[engine].measures.offered
