"""The four kinds, by name."""

from martlet_api.evalrun import EvalRun
from martlet_api.finetunejob import FineTuneJob
from martlet_api.inferenceservice import InferenceService
from martlet_api.quantizedmodel import QuantizedModel

Resource = FineTuneJob | EvalRun | QuantizedModel | InferenceService

KINDS: dict[str, type[Resource]] = {
    cls.kind: cls for cls in (FineTuneJob, EvalRun, QuantizedModel, InferenceService)
}
