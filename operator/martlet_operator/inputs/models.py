"""A model whose digest is known: where its files are, or where it answers."""

from dataclasses import dataclass

from martlet_api.contract import Input
from martlet_api.runs import ArtifactBase, MadeFrom, ModelArtifact, ResolvedInput, TrainingSet


@dataclass(frozen=True)
class KnownModel:
    """A model, or an adapter with the ``base`` that it must be laid over. ``trained_on`` is by
    runs of this namespace, those without a file included."""

    uri: str
    digest: str
    revision: str | None = None
    commit: str | None = None
    base: "KnownModel | None" = None
    lora_rank: int | None = None
    format: str | None = None
    """As the artifact or preflight tells it: safetensors for plain weights, or the ``quant_method``
    of compressed ones."""
    resource: str | None = None
    secrets: tuple[str, ...] = ()
    trained_on: tuple[TrainingSet, ...] = ()
    bytes: int | None = None
    """Of its files; None for an adapter, whose base counts."""

    @property
    def uris(self) -> list[str]:
        return [self.uri, *(self.base.uris if self.base else [])]

    def inputs(self) -> list[Input]:
        """What the stage container lays out: ``model``, and ``adapter`` if it is one."""
        if self.base is None:
            return [self._input("model")]
        return [self.base._input("model"), self._input("adapter")]

    def _input(self, name: str) -> Input:
        return Input(
            name=name,
            kind="Model",
            uri=self.uri,
            revision=self.revision,
            commit=self.commit,
            digest=self.digest,
        )

    def identity(self) -> list[str]:
        """What tells that a run works on it and on nothing else."""
        return [str(item.digest) for item in self.inputs()]

    @property
    def is_adapter(self) -> bool:
        return self.base is not None

    def made_from(self) -> list[MadeFrom]:
        """The links of the chain, the base's included."""
        own = MadeFrom(
            name="adapter" if self.base else "model", digest=self.digest, resource=self.resource
        )
        return [*(self.base.made_from() if self.base else []), own]

    def as_base(self) -> ArtifactBase:
        return ArtifactBase(
            uri=self.uri, revision=self.revision, commit=self.commit, digest=self.digest
        )


@dataclass(frozen=True, kw_only=True)
class ServedModel(KnownModel):
    """What a revision of an InferenceService serves. ``uri`` is where it answers, under ``name``;
    nothing of it is brought."""

    name: str
    served_by: str
    """The revision's name, which is the hash of all that makes it."""

    @property
    def title(self) -> str:
        return f"{self.resource} (revision {self.served_by})"

    @property
    def uris(self) -> list[str]:
        return []

    def inputs(self) -> list[Input]:
        return []

    def identity(self) -> list[str]:
        return [self.digest, self.served_by]


def not_served(model: KnownModel | None) -> str | None:
    """Why an engine cannot load a model as it is; None where it can."""
    if model is None or not model.is_adapter or model.lora_rank is not None:
        return None
    return (
        f"{model.resource} makes an adapter that the engine cannot load beside its base: only "
        "plain LoRA can be. Set its spec.tuner.merge to true, or compress it with a "
        "QuantizedModel, which merges it first."
    )


def from_resolved(found: ResolvedInput, secrets: tuple[str, ...]) -> KnownModel:
    """A model that preflight locked."""
    return KnownModel(
        found.uri,
        found.digest,
        found.revision,
        found.commit,
        format=found.format,
        secrets=secrets,
        bytes=found.bytes,
    )


def from_artifact(artifact: ModelArtifact, resource: str, secrets: tuple[str, ...]) -> KnownModel:
    """What another resource made. ``secrets`` bring its base."""
    base, trained_on = artifact.base, artifact.trained_on
    known_base = (
        KnownModel(base.uri, base.digest, base.revision, base.commit, secrets=secrets)
        if base
        else None
    )
    return KnownModel(
        artifact.uri,
        artifact.digest,
        base=known_base,
        lora_rank=artifact.adapter_rank,
        format=artifact.format,
        resource=resource,
        secrets=secrets if base else (),
        trained_on=tuple([TrainingSet(resource=resource)] if trained_on is None else trained_on),
        bytes=None if base else artifact.bytes,
    )
