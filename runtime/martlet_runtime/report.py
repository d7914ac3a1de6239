"""Live progress, as the metrics page that the operator and Prometheus read."""

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from martlet_api import contract

_HELP = {
    contract.METRIC_STEP: "Optimizer steps done.",
    contract.METRIC_TOTAL_STEPS: "Optimizer steps in all.",
    contract.METRIC_EPOCH: "Passes over the data done.",
    contract.METRIC_LOSS: "Training loss of the last logged step.",
    contract.METRIC_EVAL_LOSS: "Loss on the validation rows.",
    contract.METRIC_LEARNING_RATE: "Learning rate of the last logged step.",
    contract.METRIC_REWARD: "Mean reward of answers at the last logged step.",
    contract.METRIC_MARGIN: "Mean reward of chosen over rejected answers, likewise.",
    contract.METRIC_TOKENS_PER_SECOND: "Tokens trained on a second, over the last logged steps.",
    contract.METRIC_ELAPSED: "Seconds that the steps done take, at the pace of this attempt.",
    contract.METRIC_TRAIN_MEMORY: "Peak bytes of the accelerator; of the process without one.",
    contract.METRIC_CHECKPOINT_STEP: "Step of the newest whole checkpoint.",
    contract.METRIC_SAMPLES: "Samples answered.",
    contract.METRIC_TOTAL_SAMPLES: "Samples in all.",
    contract.METRIC_RUNG: "The rung that is tried, from 1.",
    contract.METRIC_RUNGS: "Rungs of the ladder.",
}


class Report:
    """A gauge appears on the page once it has a value."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._gauges: dict[str, Gauge] = {}

    def serve(self, port: int = contract.METRICS_PORT) -> None:
        """Serves ``/metrics`` from a thread of its own until the process ends."""
        start_http_server(port, registry=self.registry)

    def train(
        self,
        *,
        step: int,
        total_steps: int,
        elapsed: float,
        epoch: float | None = None,
        loss: float | None = None,
        eval_loss: float | None = None,
        learning_rate: float | None = None,
        reward: float | None = None,
        margin: float | None = None,
        tokens_per_second: float | None = None,
        memory: float | None = None,
    ) -> None:
        """Values that are None stay as they were. ``elapsed`` is seconds, ``memory`` bytes."""
        self._set(contract.METRIC_STEP, step)
        self._set(contract.METRIC_TOTAL_STEPS, total_steps)
        self._set(contract.METRIC_ELAPSED, elapsed)
        self._set(contract.METRIC_EPOCH, epoch)
        self._set(contract.METRIC_LOSS, loss)
        self._set(contract.METRIC_EVAL_LOSS, eval_loss)
        self._set(contract.METRIC_LEARNING_RATE, learning_rate)
        self._set(contract.METRIC_REWARD, reward)
        self._set(contract.METRIC_MARGIN, margin)
        self._set(contract.METRIC_TOKENS_PER_SECOND, tokens_per_second)
        self._set(contract.METRIC_TRAIN_MEMORY, memory)

    def checkpoint(self, step: int) -> None:
        self._set(contract.METRIC_CHECKPOINT_STEP, step)

    def evaluate(self, samples: int, total: int) -> None:
        self._set(contract.METRIC_SAMPLES, samples)
        self._set(contract.METRIC_TOTAL_SAMPLES, total)

    def quantize(self, rung: int, rungs: int) -> None:
        self._set(contract.METRIC_RUNG, rung)
        self._set(contract.METRIC_RUNGS, rungs)

    def _set(self, name: str, value: float | None) -> None:
        if value is None:
            return
        if name not in self._gauges:
            self._gauges[name] = Gauge(name, _HELP[name], registry=self.registry)
        self._gauges[name].set(value)
