"""vLLM's own words."""

import pytest

from martlet_operator.engines.vllm import lora_rank_limit


@pytest.mark.parametrize(("rank", "limit"), [(None, 8), (1, 8), (8, 8), (9, 16), (300, 320)])
def test_the_limit_of_ranks_is_one_that_the_engine_takes(rank: int | None, limit: int) -> None:
    assert lora_rank_limit(rank) == limit
