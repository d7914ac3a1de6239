"""LMDeploy's metrics page, written by its own classes: six requests done, two not.

Run by an interpreter that has LMDeploy, without an accelerator.
"""

import prometheus_client
from lmdeploy.messages import ResponseType
from lmdeploy.metrics.loggers import PrometheusStatLogger
from lmdeploy.metrics.stats import IterationStats, RequestStats, SchedulerStats

logger = PrometheusStatLogger("thing", max_model_len=4096)
logger.record_schedule(
    SchedulerStats(
        num_total_reqs=11,
        num_succeeded_reqs=6,
        num_cancelled_reqs=1,
        num_errored_reqs=1,
        num_running_reqs=2,
        num_waiting_reqs=1,
        gpu_cache_usage=0.25,
    )
)
for number in range(6):
    iteration = IterationStats()
    iteration.new_generation_tokens = 7
    iteration.ttft, iteration.itl, iteration.tpot = 0.03 * (number + 1), 0.02, 0.02
    logger.record_iteration(iteration)
    request = RequestStats(arrival_time=100.0, prompt_tokens=5)
    request.finish_time, request.finish_reason = 100.5 + number, ResponseType.FINISH
    logger.record_finish(request)
print(prometheus_client.generate_latest().decode())
