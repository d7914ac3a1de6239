"""The base of every API class, and the scalar types with their bounds.

Every string, list and map is bounded: the API server refuses CEL rules over unbounded values.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel


class ApiModel(BaseModel):
    """camelCase outside, snake_case inside; unknown fields are errors; instances are immutable."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )

    def to_dict(self) -> dict[str, Any]:
        """The object as Kubernetes JSON: camelCase, without what is not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class StatusModel(ApiModel):
    """A part of a status. Fields that an older or newer operator wrote are ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True
    )


def cel(*rules: tuple[str, str]) -> dict[str, Any]:
    """CEL rules for a class's ``json_schema_extra``: pairs of (rule, message)."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": text} for rule, text in rules]}


def api_config(*rules: tuple[str, str]) -> ConfigDict:
    """A class configuration that carries CEL rules."""
    return ConfigDict(json_schema_extra=cel(*rules))


NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

ObjectName = Annotated[str, Field(min_length=1, max_length=63, pattern=NAME_PATTERN)]
"""The name of an object of ours: a DNS label, since pods and Services are named after it."""

Text = Annotated[str, Field(max_length=1024)]
LongText = Annotated[str, Field(max_length=4096)]
Digest = Annotated[str, Field(max_length=71, pattern=r"^sha256:[0-9a-f]{64}$")]
"""``sha256:`` and 64 hexadecimal digits."""

_QUANTITY_PATTERN = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$"

Quantity = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    Field(max_length=32, pattern=_QUANTITY_PATTERN),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "pattern": _QUANTITY_PATTERN,
            "maxLength": 32,
            "minimum": 0,  # of a bare number, which the pattern does not see
        }
    ),
]
"""A non-negative Kubernetes quantity (``"500m"``, ``"4Gi"``, ``2``)."""
