"""How a spec names models and datasets: by URI and revision, or by another resource."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from martlet_api.base import ApiModel, ObjectName, api_config

Uri = Annotated[
    str,
    Field(
        min_length=7,
        max_length=1024,
        pattern=r"^(hf|ms|s3|pvc|file)://[^\s]+$",
        description=(
            "hf://ORG/NAME, ms://ORG/NAME, s3://BUCKET/PATH, pvc://CLAIM/PATH or file:///PATH."
        ),
    ),
]

REVISION_RULE = (
    "!has(self.revision) || (has(self.uri) && "
    "(self.uri.startsWith('hf://') || self.uri.startsWith('ms://')))",
    "revision belongs to hf:// and ms:// URIs; remove it, or name a hub's repository in uri",
)


class SecretReference(ApiModel):
    """A Secret in the same namespace whose keys become environment variables of the containers
    that bring inputs (``HF_TOKEN``, ``MODELSCOPE_API_TOKEN``, ``AWS_ACCESS_KEY_ID``,
    ``HF_ENDPOINT``...), and of no other container."""

    name: ObjectName


class UriSource(ApiModel):
    """What belongs to a URI."""

    revision: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=256,
            description="Branch, tag or commit on the hub; resolved to a commit before work.",
        ),
    ] = None
    secret_ref: SecretReference | None = None


class TrainedModelReference(ApiModel):
    """The artifact of a FineTuneJob in the same namespace."""

    kind: Literal["FineTuneJob"]
    name: ObjectName


class ModelReference(ApiModel):
    """The artifact of another resource in the same namespace."""

    kind: Literal["FineTuneJob", "QuantizedModel"]
    name: ObjectName


class ServiceReference(ApiModel):
    """An InferenceService in the same namespace, asked as it runs."""

    name: ObjectName
    revision: Annotated[
        ObjectName | None,
        Field(description="One of its revisions; the one that serves now where left out."),
    ] = None


_MODEL_CONFIG: ConfigDict = api_config(
    (
        "has(self.uri) != has(self.from)",
        "exactly one of uri and from must be set: uri names a model at a hub or on a volume, "
        "from names another resource",
    ),
    REVISION_RULE,
    (
        "!has(self.secretRef) || has(self.uri)",
        "secretRef belongs to uri; remove it from a model named by from",
    ),
)


class TrainedModelSource(UriSource):
    """A model by URI, or what a FineTuneJob makes."""

    model_config = _MODEL_CONFIG

    uri: Uri | None = None
    from_: Annotated[TrainedModelReference | None, Field(alias="from")] = None


class ModelSource(UriSource):
    """A model by URI, or what a FineTuneJob or QuantizedModel makes."""

    model_config = _MODEL_CONFIG

    uri: Uri | None = None
    from_: Annotated[ModelReference | None, Field(alias="from")] = None


class DatasetSource(UriSource):
    """A data file by URI: jsonl, json, csv, parquet, or plain text where perplexity is taken."""

    model_config = api_config(REVISION_RULE)

    uri: Uri
    max_samples: Annotated[
        int | None, Field(ge=1, le=1_000_000_000, description="Take at most this many rows.")
    ] = None


OutputUri = Annotated[
    str,
    Field(
        min_length=7,
        max_length=512,
        pattern=r"^pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(/[^\s]*)?$",
        description="pvc://CLAIM/PATH: the folder under which artifacts are written.",
    ),
]


class Output(ApiModel):
    """Where artifacts go. Deleting the resource never deletes its artifacts."""

    model_config = api_config(
        (
            "self.uri == oldSelf.uri",
            "output.uri cannot be changed: earlier artifacts stay where others found them; "
            "create a new resource to write somewhere else",
        ),
        (
            "!self.uri.contains('/../') && !self.uri.endsWith('/..')",
            "output.uri must not lead out of its claim by ..; name the folder itself",
        ),
    )

    uri: OutputUri
