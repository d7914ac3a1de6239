"""The engine that serves a model: the same settings for scoring and for serving."""

from typing import Annotated, Literal

from pydantic import Field

from martlet_api.base import ApiModel, StatusModel, Text, api_config

EngineType = Literal["vLLM", "LMDeploy", "SGLang"]

RESERVED_ARGS: dict[EngineType, tuple[str, ...]] = {
    "vLLM": (
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
        "--shutdown-timeout",
        "--disable-log-stats",
    ),
    "LMDeploy": (
        "--model-name",
        "--server-name",
        "--server-port",
        "--adapters",
        "--session-len",
        "--disable-metrics",
        "--trust-remote-code",
        "--api-keys",
        "--ssl",
        "--proxy-url",
        "--allow-terminate-by-client",
    ),
    "SGLang": (
        "--model-path",
        "--served-model-name",
        "--host",
        "--port",
        "--enable-lora",
        "--lora-paths",
        "--context-length",
        "--enable-metrics",
        "--trust-remote-code",
        "--api-key",
        "--admin-api-key",
        "--config",
    ),
}
"""Arguments that Martlet sets, or that would undo a rule of its own: a file named by ``--config``
may hold any of the others, ``--disable-log-stats`` and ``--disable-metrics`` blind the guards of a
rollout, and ``--allow-terminate-by-client`` lets whoever may ask end the pod."""


def _reserved(engine: EngineType, unless: str = "") -> tuple[str, str]:
    names = RESERVED_ARGS[engine]
    quoted = ", ".join(f"'{name}'" for name in names)
    return (
        # As the engines' parsers read words: _ is -, an abbreviation is enough, = or . ends one.
        f"{unless}!has(self.args) || self.args.all(a, !a.startsWith('--') || "
        f"![{quoted}].exists(r, r.startsWith(a.split('=')[0].split('.')[0].replace('_', '-'))))",
        "args must not hold what Martlet sets itself, nor an abbreviation of it: "
        f"{', '.join(names)}; remove it",
    )


class EngineSettings(ApiModel):
    """What vLLM is started with, where it is the engine."""

    model_config = api_config(_reserved("vLLM"))

    max_model_len: Annotated[
        int | None,
        Field(ge=16, le=10_485_760, description="Tokens; the model's own where left out."),
    ] = None
    args: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=512)]] | None,
        Field(max_length=64, description="Further arguments of the engine, one item a word."),
    ] = None


class Engine(EngineSettings):
    """An engine and its arguments."""

    model_config = api_config(
        (
            "!has(self.args) || self.type != 'Auto'",
            "args are the words of one engine: name it in type (vLLM, LMDeploy or SGLang), or "
            "remove args",
        ),
        *(_reserved(engine, f"self.type != '{engine}' || ") for engine in RESERVED_ARGS),
    )
    type: Annotated[
        Literal["Auto", "vLLM", "LMDeploy", "SGLang"],
        Field(
            description=(
                "Auto: chosen by accelerator, format and adapter; status.engine says which and "
                "why. LMDeploy and SGLang need an accelerator."
            )
        ),
    ] = "Auto"


class EngineStatus(StatusModel):
    """The engine that was chosen."""

    type: EngineType
    version: Annotated[
        Annotated[str, Field(max_length=64)] | None,
        Field(description="Left out where spec.pod.image is the user's own."),
    ] = None
    reason: Annotated[Text, Field(description="Why this one.")]
