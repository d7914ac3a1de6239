"""Equal work is done once in a namespace: what makes scores, by digest, and who has them."""

from typing import Any

from pydantic import ValidationError

from martlet_api.evalrun import (
    Comparison,
    Contamination,
    EvalRunSpec,
    EvalRunStatus,
    Measured,
    Suite,
)
from martlet_operator.engines.choice import chosen
from martlet_operator.engines.container import engine_image
from martlet_operator.evalrun.desired import engine_of, input_of
from martlet_operator.inputs.models import KnownModel, ServedModel
from martlet_operator.inputs.wanted import Inputs
from martlet_operator.naming import digest_of
from martlet_operator.settings import Images

Object = dict[str, Any]


def key(spec: EvalRunSpec, inputs: Inputs, images: Images) -> str:
    """The digest of all that makes a model's scores: its own and its base's digest, the suites and
    the digests of their data, the engine with its arguments and image (of a service the revision,
    whose name is their hash), how answers are drawn, the judge and how it is asked, and the
    scorer's image. Thresholds are no part of it: they judge scores and do not make them."""
    assert inputs.model is not None
    data = {item.name: item.digest for item in inputs.locked if item.kind != "Model"}
    made = {
        "model": [link.digest for link in inputs.model.made_from()],
        "suites": [_suite(suite, data.get(input_of(suite))) for suite in spec.suites],
        "generation": spec.generation.to_dict(),
        **_answers(spec, inputs.model, images),
        **_judge(spec),
    }
    return f"sha256:{digest_of(made)}"


def _answers(spec: EvalRunSpec, model: KnownModel, images: Images) -> Object:
    """What gives the answers, and what asks."""
    if isinstance(model, ServedModel):
        return {"revision": model.served_by, "images": [images.runtime]}
    engine = engine_of(spec)
    return {
        "engine": chosen(engine, model, spec.pod).to_dict(),
        "images": [engine_image(engine, model, spec.pod, images), images.runtime],
    }


def _judge(spec: EvalRunSpec) -> Object:
    """Whoever holds its key, the judge is the same."""
    if spec.judge is None:
        return {}
    asked = spec.judge.to_dict()
    return {"judge": {name: asked[name] for name in ("endpoint", "model", "maxTokens")}}


def _suite(suite: Suite, digest: str | None) -> Object:
    """The metrics that thresholds name are told by the pod, so they belong to it."""
    asked = suite.to_dict()
    return {
        "name": suite.name,
        "benchmark": suite.benchmark,
        "digest": digest,
        "rows": suite.dataset.max_samples if suite.dataset else None,
        **{name: asked.get(name) for name in ("subsets", "limit", "fewShot")},
        "metrics": sorted({limit.metric for limit in suite.thresholds}),
        **({"judge": asked["judge"]} if suite.judge else {}),
    }


def find(wanted: str, peers: list[Object], *, samples: bool) -> Measured | None:
    """Scores under a key that some EvalRun of the namespace has, with their rows if they must be
    there."""
    for status in map(_status, peers):
        for have in (status.measured, status.baseline):
            if have and have.key == wanted and (have.samples or not samples):
                return have
    return None


def comparison_key(measured: Measured, baseline: Measured) -> str:
    return f"sha256:{digest_of([measured.key, baseline.key])}"


def find_comparison(wanted: str, peers: list[Object]) -> Comparison | None:
    found = (_status(peer).comparison for peer in peers)
    return next((have for have in found if have and have.key == wanted), None)


def find_contamination(wanted: str, peers: list[Object]) -> Contamination | None:
    """What was counted of the same test sets and training sets, if all of it was."""
    found = (_status(peer).contamination for peer in peers)
    return next((have for have in found if have and have.key == wanted and not have.unknown), None)


def busy(wanted: str, own: Object, peers: list[Object]) -> str | None:
    """The EvalRun that makes the scores under a key now. Whoever began goes on; where two began at
    once, the elder does."""
    began = _status(own).scoring == wanted
    for peer in sorted(peers, key=_age):
        if _works_on(wanted, peer) and not (began and _age(own) < _age(peer)):
            return str(peer["metadata"]["name"])
    return None


def _works_on(wanted: str, peer: Object) -> bool:
    status, held = _status(peer), peer["spec"].get("suspend", False)
    working = status.run is not None and status.run.finished_at is None
    return working and not held and status.scoring == wanted


def _age(peer: Object) -> tuple[str, str]:
    metadata = peer["metadata"]
    return str(metadata.get("creationTimestamp", "")), str(metadata["name"])


def _status(peer: Object) -> EvalRunStatus:
    """An empty one where another version wrote what this one cannot read."""
    try:
        return EvalRunStatus.model_validate(peer.get("status") or {})
    except ValidationError:
        return EvalRunStatus()
