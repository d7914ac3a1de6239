"""The termination message: written once, valid JSON, never longer than the kubelet keeps."""

from pathlib import Path

from martlet_api.contract import TERMINATION_LIMIT, QuantizeResult, Termination

_SHORT_MESSAGE = 1200
_SHORT_ERRORS = 3


def write(termination: Termination, path: Path) -> None:
    path.write_text(encode(termination))


def encode(termination: Termination) -> str:
    """JSON of at most TERMINATION_LIMIT bytes: long texts are cut first, then details dropped."""
    for attempt in (termination, _shortened(termination), _bare(termination)):
        text = attempt.model_dump_json(by_alias=True, exclude_none=True)
        if len(text.encode()) <= TERMINATION_LIMIT:
            return text
    raise ValueError(f"a termination message cannot be made short enough: {termination!r}")


def _shortened(full: Termination) -> Termination:
    update: dict[str, object] = {"message": _cut(full.message, _SHORT_MESSAGE)}
    if full.evaluate:
        errors = [_cut(text, 200) for text in full.evaluate.errors[:_SHORT_ERRORS]]
        update["evaluate"] = full.evaluate.model_copy(update={"errors": errors})
    if full.quantize:
        update["quantize"] = _quantize(full.quantize, texts=120)
    return full.model_copy(update=update)


def _bare(full: Termination) -> Termination:
    """Without what only people would read; what the operator needs to go on stays."""
    update: dict[str, object] = {"message": _cut(full.message, 300)}
    if full.evaluate:
        update["evaluate"] = full.evaluate.model_copy(update={"errors": []})
    if full.quantize:
        update["quantize"] = _quantize(full.quantize, texts=30)
    return full.model_copy(update=update)


def _quantize(full: QuantizeResult, texts: int) -> QuantizeResult:
    """All figures, and of each rung's message so many characters; of the ladder's twice as many."""
    rungs = [
        rung.model_copy(update={"message": _cut(rung.message, texts)}) if rung.message else rung
        for rung in full.rungs
    ]
    reason = full.ladder_reason and _cut(full.ladder_reason, 2 * texts)
    return full.model_copy(update={"rungs": rungs, "ladder_reason": reason})


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
