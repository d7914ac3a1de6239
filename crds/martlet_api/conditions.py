"""Conditions, and the one list of their reasons."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from martlet_api.base import StatusModel

ConditionStatus = Literal["True", "False", "Unknown"]


class ConditionType(StrEnum):
    """``Ready`` is the one fold that programs read; ``Resolved`` says what the inputs are,
    ``Fits`` whether there is memory for the work, ``Routed`` whether a gateway sends requests."""

    READY = "Ready"
    RESOLVED = "Resolved"
    FITS = "Fits"
    ROUTED = "Routed"


class Reason(StrEnum):
    """Why a condition is as it is. Programs may match on these; people read the message."""

    # On the way: Ready is Unknown.
    WAITING_FOR_REFERENCE = "WaitingForReference"
    REFERENCE_NOT_FOUND = "ReferenceNotFound"
    PENDING = "Pending"
    RESOLVING = "Resolving"
    DRY_RUN = "DryRun"
    WAITING_FOR_APPROVAL = "WaitingForApproval"
    WAITING_FOR_SCORES = "WaitingForScores"
    TRAINING = "Training"
    EVALUATING = "Evaluating"
    QUANTIZING = "Quantizing"
    VERIFYING = "Verifying"
    LOADING = "Loading"
    CANARY_STEP = "CanaryStep"
    BAKING = "Baking"
    ROLLING_BACK = "RollingBack"
    RETRYING = "Retrying"
    UNSCHEDULABLE = "Unschedulable"
    NO_ROOM = "NoRoom"

    # Held by a person.
    SUSPENDED = "Suspended"
    SCALED_TO_ZERO = "ScaledToZero"

    # Done or serving: Ready is True.
    SUCCEEDED = "Succeeded"
    PASSED = "Passed"
    SERVING = "Serving"

    # Resolved.
    REVISIONS_LOCKED = "RevisionsLocked"

    # Fits.
    ESTIMATE_WITHIN_CAPACITY = "EstimateWithinCapacity"
    ESTIMATE_FAILED = "EstimateFailed"
    CAPACITY_UNKNOWN = "CapacityUnknown"

    # Routed.
    ROUTE_ACCEPTED = "RouteAccepted"
    SESSION_PERSISTENCE = "SessionPersistence"

    # Ready is False: what to do next is in the message.
    INVALID_SPEC = "InvalidSpec"
    CIRCULAR_REFERENCE = "CircularReference"
    REFERENCE_FAILED = "ReferenceFailed"
    VOLUME_CLAIM_NOT_FOUND = "VolumeClaimNotFound"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a reason, not a secret
    IMAGE_CANNOT_BE_PULLED = "ImageCannotBePulled"
    POD_REFUSED = "PodRefused"
    INSUFFICIENT_MEMORY = "InsufficientMemory"
    OUT_OF_MEMORY = "OutOfMemory"
    POD_FAILED = "PodFailed"
    MODEL_NOT_FOUND = "ModelNotFound"
    REVISION_NOT_FOUND = "RevisionNotFound"
    DATASET_NOT_FOUND = "DatasetNotFound"
    DATASET_EMPTY = "DatasetEmpty"
    DATASET_INVALID = "DatasetInvalid"
    MODEL_INVALID = "ModelInvalid"
    ACCESS_DENIED = "AccessDenied"
    SOURCE_UNAVAILABLE = "SourceUnavailable"
    DIGEST_MISMATCH = "DigestMismatch"
    DISK_FULL = "DiskFull"
    OUTPUT_NOT_WRITABLE = "OutputNotWritable"
    CHECKPOINT_INVALID = "CheckpointInvalid"
    REWARD_INVALID = "RewardInvalid"
    PEER_LOST = "PeerLost"
    TRAINING_DIVERGED = "TrainingDiverged"
    FORMAT_NOT_SUPPORTED = "FormatNotSupported"
    NO_RUNG_PASSED = "NoRungPassed"
    THRESHOLD_NOT_MET = "ThresholdNotMet"
    INCONCLUSIVE = "Inconclusive"
    METRIC_NOT_REPORTED = "MetricNotReported"
    ENGINE_FAILED = "EngineFailed"
    RESULT_TOO_LONG = "ResultTooLong"
    CONTAMINATED = "Contaminated"
    TRAINING_SET_UNKNOWN = "TrainingSetUnknown"
    JUDGE_FAILED = "JudgeFailed"
    GATE_NOT_PASSED = "GateNotPassed"
    WAITING_FOR_GATE = "WaitingForGate"
    CRASH_LOOP = "CrashLoop"
    ROUTE_NOT_ACCEPTED = "RouteNotAccepted"
    GATEWAY_NOT_FOUND = "GatewayNotFound"
    HOSTNAME_TAKEN = "HostnameTaken"
    ROLLED_BACK = "RolledBack"
    GUARD_FAILED = "GuardFailed"
    CANARY_UNREADY = "CanaryUnready"
    WITHDRAWN = "Withdrawn"
    NAME_TAKEN = "NameTaken"
    REFUSED_BY_API = "RefusedByApi"
    INTERNAL_ERROR = "InternalError"


class Condition(StatusModel):
    """``metav1.Condition``."""

    type: Annotated[str, Field(max_length=64)]
    status: ConditionStatus
    reason: Annotated[str, Field(min_length=1, max_length=64)]
    message: Annotated[str, Field(max_length=4096)]
    last_transition_time: Annotated[str, Field(max_length=40)]
    observed_generation: Annotated[int, Field(ge=0)] | None = None
