"""How a model is trained: method, tuner, hyperparameters. Names and defaults are ms-swift's."""

from typing import Annotated, Literal

from pydantic import Field

from martlet_api.base import ApiModel, Text, api_config

Method = Literal[
    "PT", "SFT", "DPO", "SimPO", "ORPO", "KTO", "CPO", "RM", "GRPO", "RLOO", "OnlineDPO", "GKD",
    "PPO",
]  # fmt: skip
"""PPO is in the list so that it can be refused with a sentence."""
TrainingRows = Literal[
    "LanguageModeling", "Conversation", "Preference", "UnpairedPreference", "PromptOnly"
]
"""What a training row must be; TRL's names."""

ROWS_OF: dict[str, TrainingRows] = {
    "PT": "LanguageModeling",
    "SFT": "Conversation",
    "DPO": "Preference",
    "SimPO": "Preference",
    "ORPO": "Preference",
    "KTO": "UnpairedPreference",
    "CPO": "Preference",
    "RM": "Preference",
    "GRPO": "PromptOnly",
    "RLOO": "PromptOnly",
    "OnlineDPO": "PromptOnly",
    "GKD": "Conversation",
}
REWARDED = ("GRPO", "RLOO", "OnlineDPO")
"""Methods that let the model answer, and reward the answers."""

Strategy = Literal["DDP", "FSDP", "ZeRO2", "ZeRO3"]
"""How processes share a model: each has all of it (DDP), or a part of its weights, gradients and
optimizer (FSDP, ZeRO3), or all weights and a part of the rest (ZeRO2)."""
StrategyChoice = Literal["Auto", "DDP", "FSDP", "ZeRO2", "ZeRO3"]
SHARDING = ("FSDP", "ZeRO2", "ZeRO3")
SHARED_TUNERS = ("LoRA", "Full")
SHARED_METHODS = ("PT", "SFT", "DPO", "SimPO", "ORPO", "KTO", "CPO", "RM")
"""Methods that need no answers of the model while it learns."""

METHOD_SETTINGS: dict[str, tuple[str, ...]] = {
    "beta": ("DPO", "SimPO", "ORPO", "KTO", "CPO", "GRPO", "RLOO", "OnlineDPO", "GKD"),
    "simpoGamma": ("SimPO",),
    "cpoAlpha": ("CPO",),
    "desirableWeight": ("KTO",),
    "undesirableWeight": ("KTO",),
    "numGenerations": ("GRPO", "RLOO"),
    "maxCompletionLength": ("GRPO", "RLOO", "OnlineDPO", "GKD"),
    "temperature": ("GRPO", "RLOO", "OnlineDPO", "GKD"),
    "lmbda": ("GKD",),
}
"""Hyperparameters that only these methods know; others refuse them."""


def belongs(where: str, kinds: str, field: str, owners: tuple[str, ...]) -> tuple[str, str]:
    """The rule that ``field`` may be set only where ``kinds`` is one of ``owners``."""
    listed = ", ".join(f"'{owner}'" for owner in owners)
    name = field.rpartition(".")[2]
    kind = kinds.rpartition(".")[2]
    plural = f"{kind} {owners[0]}" if len(owners) == 1 else f"the {kind}s {_spoken(owners)}"
    return (
        f"!has({where}.{field}) || {where}.{kinds} in [{listed}]",
        f"{name} belongs to {plural}; remove it",
    )


def _spoken(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


_LORA = ("LoRA", "QLoRA")
_ADAPTERS = ("LoRA", "QLoRA", "AdaLoRA", "VeRA", "BOFT", "FourierFT")


class Tuner(ApiModel):
    """What is trained: an adapter of one of PEFT's types, or every weight (Full)."""

    model_config = api_config(
        belongs("self", "type", "rank", ("LoRA", "QLoRA", "AdaLoRA", "VeRA")),
        belongs("self", "type", "alpha", ("LoRA", "QLoRA", "AdaLoRA")),
        belongs("self", "type", "dropout", ("LoRA", "QLoRA", "AdaLoRA", "VeRA", "BOFT")),
        belongs("self", "type", "targetModules", _ADAPTERS),
        belongs("self", "type", "useDora", _LORA),
        belongs("self", "type", "useRslora", _LORA),
        belongs("self", "type", "loraplusLrRatio", _LORA),
        belongs("self", "type", "initLoraWeights", ("LoRA",)),
        belongs("self", "type", "boftBlockSize", ("BOFT",)),
        belongs("self", "type", "nFrequency", ("FourierFT",)),
        belongs("self", "type", "merge", _ADAPTERS),
    )

    type: Literal["LoRA", "QLoRA", "AdaLoRA", "VeRA", "BOFT", "FourierFT", "Full"] = "LoRA"
    rank: Annotated[
        int | None, Field(ge=1, le=4096, description="8 where left out; 256 for VeRA.")
    ] = None
    alpha: Annotated[float | None, Field(gt=0, le=4096, description="32 where left out.")] = None
    dropout: Annotated[float | None, Field(ge=0, lt=1, description="0.05 where left out.")] = None
    target_modules: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=128)]] | None,
        Field(min_length=1, max_length=64, description="[all-linear] where left out."),
    ] = None
    use_dora: Annotated[bool | None, Field(description="DoRA: magnitude and direction apart.")] = (
        None
    )
    use_rslora: Annotated[
        bool | None, Field(description="rsLoRA: scaled by alpha / sqrt(rank).")
    ] = None
    loraplus_lr_ratio: Annotated[
        float | None, Field(ge=1, le=1000, description="LoRA+: learning rate of B over A's.")
    ] = None
    init_lora_weights: Annotated[
        Literal["Default", "PiSSA"] | None,
        Field(
            description=(
                "PiSSA: from the principal singular values of the weights. The artifact is a "
                "plain LoRA of twice the rank over the base as it is."
            )
        ),
    ] = None
    boft_block_size: Annotated[
        int | None, Field(ge=2, le=1024, description="4 where left out.")
    ] = None
    n_frequency: Annotated[
        int | None, Field(ge=1, le=1_000_000, description="2000 where left out.")
    ] = None
    merge: Annotated[
        bool | None,
        Field(
            description=(
                "True: the artifact is the base with the adapter merged into it, a whole model "
                "that every engine loads. Left out: the adapter alone, which only engines that "
                "know its type serve (LoRA without DoRA)."
            )
        ),
    ] = None


class Hyperparameters(ApiModel):
    """ms-swift's defaults where left out."""

    model_config = api_config(
        (
            "!has(self.microBatchSize) || self.globalBatchSize % self.microBatchSize == 0",
            "globalBatchSize must be a multiple of microBatchSize",
        )
    )

    epochs: Annotated[float, Field(gt=0, le=1000)] = 3
    max_steps: Annotated[
        int | None, Field(ge=1, le=100_000_000, description="Ends after so many, if sooner.")
    ] = None
    learning_rate: Annotated[
        float | None, Field(gt=0, le=1, description="1e-4 for adapters, 1e-5 for Full.")
    ] = None
    optimizer: Annotated[
        Literal["AdamW", "GaLore"],
        Field(description="GaLore: AdamW on gradients of low rank, for tuner Full."),
    ] = "AdamW"
    global_batch_size: Annotated[
        int,
        Field(
            ge=1,
            le=65536,
            description="Rows a step, over all accelerators; answers a step for GRPO and RLOO.",
        ),
    ] = 16
    micro_batch_size: Annotated[
        int | None,
        Field(
            ge=1,
            le=4096,
            description=(
                "Rows a forward pass, on one accelerator. Left out: the most that fits, up to 16; "
                "1 (2 for KTO) where memory is not known."
            ),
        ),
    ] = None
    max_length: Annotated[
        int,
        Field(ge=8, le=1_048_576, description="Tokens; longer rows are cut, and split up for PT."),
    ] = 2048
    packing: Annotated[
        Literal["Auto", "Enabled", "Disabled"],
        Field(
            description=(
                "Rows behind one another without padding; Auto: where the method can (PT, SFT)."
            )
        ),
    ] = "Auto"
    gradient_checkpointing: Annotated[
        Literal["Auto", "Enabled", "Disabled"],
        Field(
            description=(
                "Less memory for more time; Auto: where it would not fit without, and on "
                "accelerators whose memory is not known."
            )
        ),
    ] = "Auto"
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.1
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] = 0.05
    max_grad_norm: Annotated[float, Field(ge=0, le=1000)] = 1.0
    seed: Annotated[int, Field(ge=0, le=4_294_967_295)] = 42
    beta: Annotated[
        float | None,
        Field(
            ge=0,
            le=1000,
            description=(
                "How near to the reference: 0.1 for DPO, ORPO, KTO, CPO and OnlineDPO, 2 for "
                "SimPO, 0.04 for GRPO and RLOO; GKD: 0 forward KL to 1 reverse KL, 0.5."
            ),
        ),
    ] = None
    simpo_gamma: Annotated[
        float | None, Field(ge=0, le=100, description="SimPO: margin aimed at; 1.")
    ] = None
    cpo_alpha: Annotated[
        float | None, Field(ge=0, le=100, description="CPO: weight of the chosen answer; 1.")
    ] = None
    desirable_weight: Annotated[float | None, Field(gt=0, le=100, description="KTO: 1.")] = None
    undesirable_weight: Annotated[float | None, Field(gt=0, le=100, description="KTO: 1.")] = None
    num_generations: Annotated[
        int | None, Field(ge=2, le=256, description="GRPO, RLOO: answers a prompt; 8.")
    ] = None
    max_completion_length: Annotated[
        int | None, Field(ge=1, le=131_072, description="Tokens of an answer; 512.")
    ] = None
    temperature: Annotated[
        float | None, Field(gt=0, le=10, description="Of answers; 0.9, and 1 for OnlineDPO.")
    ] = None
    lmbda: Annotated[
        float | None,
        Field(ge=0, le=1, description="GKD: share of steps on the student's own answers; 0.5."),
    ] = None


class Reward(ApiModel):
    """How an answer is rewarded: a check of ours, or an HTTP endpoint of yours."""

    model_config = api_config(
        (
            "(self.type == 'HTTP') == has(self.url)",
            "url belongs to type HTTP, which needs one; add or remove it",
        ),
        (
            "(self.type == 'Format') == has(self.pattern)",
            "pattern belongs to type Format, which needs one; add or remove it",
        ),
        (
            "(self.type == 'Length') == has(self.targetLength)",
            "targetLength belongs to type Length, which needs one; add or remove it",
        ),
        belongs("self", "type", "column", ("ExactMatch", "NumberMatch")),
        belongs("self", "type", "timeoutSeconds", ("HTTP",)),
    )

    type: Annotated[
        Literal["ExactMatch", "NumberMatch", "Format", "Length", "HTTP"],
        Field(
            description=(
                "ExactMatch: 1 if the answer is the row's column, white space aside. NumberMatch: "
                "1 if the last number of both is the same. Format: 1 if the whole answer matches "
                "pattern. Length: 1 at targetLength tokens, falling to 0 at none and at twice as "
                "many. HTTP: what the endpoint says."
            )
        ),
    ]
    weight: Annotated[float, Field(ge=-1000, le=1000)] = 1.0
    column: Annotated[
        str | None,
        Field(min_length=1, max_length=128, description="Of the row; solution where left out."),
    ] = None
    pattern: Annotated[
        str | None,
        Field(min_length=1, max_length=512, description="Format: a regular expression."),
    ] = None
    target_length: Annotated[
        int | None, Field(ge=1, le=1_048_576, description="Length: tokens that are ideal.")
    ] = None
    url: Annotated[
        Text | None,
        Field(
            pattern=r"^https?://[^\s]+$",
            description=(
                "HTTP: is sent POST {prompts, completions, rows} and answers "
                "{rewards: [a number each]}."
            ),
        ),
    ] = None
    timeout_seconds: Annotated[
        int | None, Field(ge=1, le=3600, description="HTTP: 60 where left out.")
    ] = None

    @property
    def needed_column(self) -> str | None:
        """The column that every row must have."""
        if self.type in ("ExactMatch", "NumberMatch"):
            return self.column or "solution"
        return None


def can_share(method: Method, tuner: Tuner, hyperparameters: Hyperparameters) -> bool:
    """Whether processes may share the weights of such a run: in Python what FineTuneJob's rule
    says of strategies that are named. A test holds both against each other."""
    return (
        method in SHARED_METHODS
        and tuner.type in SHARED_TUNERS
        and tuner.loraplus_lr_ratio is None
        and tuner.init_lora_weights != "PiSSA"
        and hyperparameters.optimizer == "AdamW"
    )
