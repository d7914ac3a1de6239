"""Plain text that perplexity is taken over."""

from pathlib import Path

from martlet_api.conditions import Reason
from martlet_runtime.data.training import empty
from martlet_runtime.errors import UserError


def read_text(path: Path, name: str) -> str:
    """The whole file, which must be UTF-8 and not blank."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UserError(
            Reason.DATASET_INVALID, f"{Path(name).name}:{line}: not UTF-8; save the file as UTF-8."
        ) from error
    if not text.strip():
        raise empty(name)
    return text
