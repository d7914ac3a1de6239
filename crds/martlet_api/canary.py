"""How a new revision of an InferenceService takes over: in steps, watched by guards."""

from typing import Annotated, Literal

from pydantic import Field

from martlet_api.base import ApiModel, api_config
from martlet_api.durations import Duration
from martlet_api.probe import Probe


class CanaryStep(ApiModel):
    """A share of the requests, held until time has passed, requests were answered, and all guards
    pass."""

    weight: Annotated[int, Field(ge=1, le=100, description="Percent of the requests.")]
    min_duration: Duration = "5m"
    min_requests: Annotated[
        int, Field(ge=0, le=1_000_000_000, description="Answered by the canary in this step.")
    ] = 0


Metric = Literal[
    "ErrorRate",
    "TimeToFirstToken",
    "InterTokenLatency",
    "EndToEndLatency",
    "Throughput",
    "Quality",
    "PromQL",
]
SHARES = ("ErrorRate", "Quality")
"""Of requests that fail, and of the probe's prompts that are answered wrong."""
_SHARES = ", ".join(f"'{name}'" for name in SHARES)
LATENCIES = ("TimeToFirstToken", "InterTokenLatency", "EndToEndLatency")
_LATENCIES = ", ".join(f"'{name}'" for name in LATENCIES)


class Guard(ApiModel):
    """What the canary must not be worse in than the stable revision. Both are watched at the same
    time; docs/canary.md says how it is judged."""

    model_config = api_config(
        (
            "has(self.tolerance) || has(self.margin) || has(self.slo)",
            "set tolerance, margin or slo: without one no amount of requests shows anything",
        ),
        (
            f"!has(self.margin) || self.metric in [{_SHARES}]",
            "margin belongs to metrics ErrorRate and Quality; use tolerance",
        ),
        (
            "(self.metric == 'PromQL') == has(self.query)",
            "query belongs to metric PromQL, and PromQL needs one",
        ),
        (
            "self.metric != 'PromQL' || has(self.name)",
            "metric PromQL needs a name for the guard",
        ),
        (
            "!has(self.direction) || self.metric == 'PromQL'",
            "direction belongs to metric PromQL: of the others it is known; remove it",
        ),
        (
            f"!has(self.slo) || !(self.metric in [{_SHARES}]) || self.slo < 1.0",
            "slo of ErrorRate and Quality is a share, between 0 and 1, such as 0.01",
        ),
        (
            f"!has(self.quantile) || (has(self.slo) && self.metric in [{_LATENCIES}])",
            "quantile belongs to the slo of a latency; remove it",
        ),
    )

    metric: Metric
    name: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=63,
            pattern=r"^[a-zA-Z0-9][-a-zA-Z0-9_]*$",
            description="The metric where left out.",
        ),
    ] = None
    tolerance: Annotated[
        float | None,
        Field(
            gt=1,
            le=100,
            description=(
                "How many times worse it may be: of ErrorRate the share of failed requests, of "
                "Quality the share of wrong answers, of a latency the time of each request, of "
                "others the value."
            ),
        ),
    ] = None
    margin: Annotated[
        float | None,
        Field(
            gt=0,
            lt=1,
            description=(
                "How much greater the share of failed requests or wrong answers may be; either "
                "suffices."
            ),
        ),
    ] = None
    slo: Annotated[
        float | None,
        Field(
            gt=0,
            description=(
                "What it must keep whatever the stable revision does: the share of failed requests "
                "or wrong answers at most; seconds that quantile of the requests take at most; the "
                "value itself."
            ),
        ),
    ] = None
    quantile: Annotated[
        float | None, Field(gt=0, lt=1, description="Of requests that keep slo; 0.95 if left out.")
    ] = None
    query: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=4096,
            description=(
                "Gives one number at each time. {{revision}} and {{namespace}} are put in, for the "
                "canary and for the stable revision in turn. It must not look further back than a "
                "minute."
            ),
        ),
    ] = None
    direction: Annotated[
        Literal["LowerIsBetter", "HigherIsBetter"] | None,
        Field(description="Of a query's number; LowerIsBetter if left out."),
    ] = None
    critical: Annotated[
        bool, Field(description="Given five times the part of alpha of another: it decides sooner.")
    ] = False

    @property
    def title(self) -> str:
        """By which it is known among the guards."""
        return self.name or self.metric


class Canary(ApiModel):
    """The steps of a rollout. Only a guard that fails rolls back; what cannot be told yet holds the
    weight, and ``onInconclusive`` decides at ``maxDuration``."""

    model_config = api_config(
        (
            "self.steps.all(s, self.steps.exists_one(t, t.weight == s.weight)) && "
            "self.steps.map(s, s.weight).isSorted()",
            "steps must rise: each weight must be over the one before; sort them, and remove what "
            "is there twice",
        ),
        (
            "self.guards.all(g, self.guards.exists_one(h, (has(h.name) ? h.name : h.metric) == "
            "(has(g.name) ? g.name : g.metric)))",
            "two guards have the same name: give one of them a name of its own",
        ),
        (
            "has(self.probe) == self.guards.exists(g, g.metric == 'Quality')",
            "a probe and a guard with metric Quality need each other: add the one, or remove the "
            "other",
        ),
    )

    steps: Annotated[list[CanaryStep], Field(min_length=1, max_length=16)]
    guards: Annotated[list[Guard], Field(max_length=8)] = []
    probe: Annotated[
        Probe | None, Field(description="Prompts of your own, for the guard Quality.")
    ] = None
    warm_up: Annotated[
        Duration,
        Field(description="After its first requests, while nothing of the canary is judged."),
    ] = "1m"
    on_inconclusive: Annotated[
        Literal["Hold", "Rollback"],
        Field(description="At maxDuration, where guards neither pass nor fail."),
    ] = "Hold"
    max_duration: Duration = "2h"
    bake_time: Annotated[
        Duration,
        Field(description="How long the former revision stays loaded after the last step."),
    ] = "10m"
