"""The pod in which the serving engine loads what was compressed, and must answer."""

from dataclasses import replace

from martlet_api.conditions import Reason
from martlet_api.contract import VerifyPlan
from martlet_api.engine import Engine
from martlet_api.pods import PodSettings
from martlet_api.quantizedmodel import QuantizedModelSpec
from martlet_api.runs import ModelArtifact
from martlet_operator.batch.engine_template import (
    ENDPOINT,
    SERVED_NAME,
    asking_template,
    serve_plan,
)
from martlet_operator.batch.kind import Pass, Work, plan_of
from martlet_operator.engines import choice
from martlet_operator.engines.container import engine_image
from martlet_operator.inputs.models import from_artifact

STAGE = "verify"


def refusal(spec: QuantizedModelSpec) -> str | None:
    """Why no engine could be asked, whatever is compressed: known before hours of work."""
    return choice.problem(_engine(spec), None, _pod(spec), image_field="spec.verification.image")


def work(at: Pass, candidate: ModelArtifact) -> Work:
    """The engine as an InferenceService of this model would have it, and who asks it."""
    engine, pod = _engine(at.spec), _pod(at.spec)
    model = from_artifact(candidate, f"QuantizedModel/{at.snapshot.name}", ())
    inputs = replace(at.inputs, model=model, locked=model.inputs(), secrets=(), cache=None)
    verify = VerifyPlan(
        engine=engine.type,
        image=engine_image(engine, model, pod, at.settings.images),
        endpoint=ENDPOINT,
        served_name=SERVED_NAME,
    )
    serve = serve_plan(engine, model, pod)
    plan = plan_of(at.resource, inputs, at.run, verify=verify, serve=serve)
    return Work(
        STAGE,
        plan,
        asking_template(STAGE, STAGE, engine, pod, plan, inputs, at.settings, reports=False),
        working=Reason.VERIFYING,
        message=f"{engine.type} loads {candidate.uri} and must answer.",
        advice=_advice(candidate),
    )


def _engine(spec: QuantizedModelSpec) -> Engine:
    settings = spec.verification
    return Engine(type=spec.engine, max_model_len=settings.max_model_len, args=settings.args)


def _pod(spec: QuantizedModelSpec) -> PodSettings:
    """Where the engine runs. ``spec.pod.image`` is of the container that compresses."""
    return spec.pod.model_copy(update={"image": spec.verification.image})


def _advice(candidate: ModelArtifact) -> str:
    return (
        f"What was compressed lies at {candidate.uri}, and is no artifact unless the engine "
        "answers. Change spec.ladder or spec.verification, or set a new spec.retry: each "
        "compresses anew."
    )
