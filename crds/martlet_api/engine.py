"""The engine that serves a model: the same settings for scoring and for serving."""

from typing import Annotated, Literal

from pydantic import Field

from martlet_api.base import ApiModel, api_config

RESERVED_ARGS = (
    "--model",
    "--served-model-name",
    "--host",
    "--port",
    "--uds",
    "--enable-lora",
    "--lora-modules",
    "--max-lora-rank",
    "--max-model-len",
    "--trust-remote-code",
    "--api-key",
    "--config",
)
"""Arguments of vLLM that Martlet sets, or that would undo a rule of its own (``--config`` names a
file that may hold any of the others)."""

_RESERVED = ", ".join(f"'{name}'" for name in RESERVED_ARGS)


class EngineSettings(ApiModel):
    """The engine's arguments."""

    model_config = api_config(
        (
            # As vLLM's parser reads a word: _ is -, an abbreviation is enough, and = or . ends it.
            "!has(self.args) || self.args.all(a, !a.startsWith('--') || "
            f"![{_RESERVED}].exists(r, "
            "r.startsWith(a.split('=')[0].split('.')[0].replace('_', '-'))))",
            "args must not hold what Martlet sets itself, nor an abbreviation of it: "
            f"{', '.join(RESERVED_ARGS)}; remove it",
        )
    )

    max_model_len: Annotated[
        int | None,
        Field(ge=16, le=10_485_760, description="Tokens; the model's own where left out."),
    ] = None
    args: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=512)]] | None,
        Field(max_length=64, description="Further arguments of the engine, one item a word."),
    ] = None


class Engine(EngineSettings):
    """vLLM and its arguments."""

    type: Literal["vLLM"] = "vLLM"
