"""What a spec asks to be brought, and what of it is locked already."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from martlet_api.contract import Input
from martlet_api.finetunejob import DataFormat, TeacherSource
from martlet_api.references import DatasetSource, ModelSource, TrainedModelSource, UriSource
from martlet_api.runs import MadeFrom, ResolvedInput
from martlet_api.training import TrainingRows
from martlet_operator.inputs.cache import Cache
from martlet_operator.inputs.models import KnownModel, from_resolved
from martlet_operator.inputs.references import References, Waiting, referenced_model

MODEL = "model"
_LOCAL = ("pvc", "file")


class Wanted(Protocol):
    """Something that is brought by URI."""

    @property
    def name(self) -> str: ...

    @property
    def source(self) -> UriSource: ...

    def input(self, found: ResolvedInput | None) -> Input:
        """What the pods are told of it; ``found`` is what preflight locked it to."""


@dataclass(frozen=True)
class WantedModel:
    """A model besides the one that is worked on."""

    name: str
    source: TeacherSource | ModelSource

    def input(self, found: ResolvedInput | None) -> Input:
        assert self.source.uri is not None
        return Input(
            name=self.name,
            kind="Model",
            uri=self.source.uri,
            revision=self.source.revision,
            commit=found.commit if found else None,
            digest=found.digest if found else None,
        )


@dataclass(frozen=True)
class WantedDataset:
    """A data file and what its rows must be, or a folder of data, whose rows are a benchmark's."""

    name: str
    source: DatasetSource
    rows: TrainingRows | Literal["Evaluation", "Text"] | None
    benchmark: str | None = None
    max_samples: int | None = None
    columns: tuple[str, ...] = ()
    format: DataFormat | None = None
    weight: float | None = None
    digest: str | None = None
    """By which it is known before preflight."""
    kind: Literal["Dataset", "Folder"] = "Dataset"

    def input(self, found: ResolvedInput | None) -> Input:
        return Input(
            name=self.name,
            kind=self.kind,
            uri=self.source.uri,
            revision=self.source.revision,
            **_locked(self.source, self.digest, found),
            rows=self.rows,
            benchmark=self.benchmark,
            max_samples=self.max_samples or self.source.max_samples,
            columns=list(self.columns) or None,
            format=self.format,
            weight=self.weight,
        )


def _locked(
    source: DatasetSource, digest: str | None, found: ResolvedInput | None
) -> dict[str, str | None]:
    """Commit and digest. With a digest that is given, whatever the revision names now is brought,
    and compared with it."""
    if found:
        return {"commit": found.commit, "digest": found.digest}
    return {"commit": source.revision if digest else None, "digest": digest}


@dataclass(frozen=True)
class Inputs:
    """``model`` is None until its digest is known; ``unlocked`` is what preflight must resolve.
    ``cache`` is where the pods keep what they bring from elsewhere, if they do. ``models`` are
    those besides the one that is worked on, by input name, once their digests are known."""

    model: KnownModel | None
    locked: list[Input]
    unlocked: list[Input]
    made_from: list[MadeFrom]
    secrets: tuple[str, ...]
    cache: Cache | None = None
    models: dict[str, KnownModel] = field(default_factory=dict)

    @property
    def uris(self) -> list[str]:
        return [item.uri for item in (*self.locked, *self.unlocked)]


def model_of(
    source: ModelSource | TrainedModelSource, references: References
) -> KnownModel | Waiting | None:
    """A model named by ``from``; None for one named by URI, which preflight locks."""
    return referenced_model(source.from_, references) if source.from_ else None


def gather(
    source: ModelSource | TrainedModelSource | None,
    referenced: KnownModel | None,
    others: Sequence[Wanted],
    resolved: list[ResolvedInput],
    cache: Cache | None = None,
    models: dict[str, KnownModel] | None = None,
) -> Inputs:
    """Sorts the inputs into what is locked and what is not. ``source`` is None where a service is
    asked; ``models`` are those of ``others`` that another resource made."""
    found = {item.name: item for item in resolved}
    model = referenced or _resolved_model(source, found.get(MODEL))
    wanted = [other.input(found.get(other.name)) for other in others]
    inputs = [*(model.inputs() if model else _unlocked_model(source)), *wanted]
    chain = model.made_from() if model else []
    named = {other.name: _secret(other.source) for other in others}
    known = {
        item.name: from_resolved(found[item.name], named[item.name])
        for item in wanted
        if item.kind == "Model" and item.digest
    }
    return Inputs(
        model=model,
        locked=[item for item in inputs if item.digest],
        unlocked=[item for item in inputs if not item.digest],
        made_from=[
            *chain,
            *(MadeFrom(name=i.name, digest=i.digest) for i in wanted if i.digest),
        ],
        secrets=_secrets(source, model, others),
        cache=cache if any(is_remote(item.uri) for item in inputs) else None,
        models={**known, **(models or {})},
    )


def is_remote(uri: str) -> bool:
    """Whether what a URI names is copied from elsewhere."""
    return uri.partition("://")[0] not in _LOCAL


def _resolved_model(source: UriSource | None, found: ResolvedInput | None) -> KnownModel | None:
    return from_resolved(found, _secret(source)) if found else None


def _unlocked_model(source: ModelSource | TrainedModelSource | None) -> list[Input]:
    assert source is not None
    assert source.uri is not None
    return [Input(name=MODEL, kind="Model", uri=source.uri, revision=source.revision)]


def _secret(source: UriSource | None) -> tuple[str, ...]:
    return (source.secret_ref.name,) if source and source.secret_ref else ()


def _secrets(
    source: UriSource | None,
    model: KnownModel | None,
    others: Sequence[Wanted],
) -> tuple[str, ...]:
    names = {*_secret(source), *(model.secrets if model else ())}
    for other in others:
        names.update(_secret(other.source))
    return tuple(sorted(names))
