"""What every kind's spec has that runs to an end (FineTuneJob, EvalRun, QuantizedModel)."""

from typing import Annotated

from pydantic import Field

from martlet_api.base import ApiModel
from martlet_api.pods import PodSettings, Retries


class BatchSpec(ApiModel):
    """``suspend`` as Kueue and Job mean it; ``retry`` runs the same spec once more."""

    suspend: Annotated[
        bool, Field(description="True: no pods are made, and running ones are ended.")
    ] = False
    retry: Annotated[
        str,
        Field(
            max_length=64,
            description="A new value starts a new run of the same spec, after a failure say.",
        ),
    ] = ""
    retries: Retries = Retries()
    pod: PodSettings = PodSettings()
