"""The judge's key is told to nobody else, though a server may send back what it was sent."""

import logging
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from martlet_api.contract import JUDGE_KEY_ENV

_STARS = "***"


def key() -> str | None:
    """Without the end of a line, which many a Secret has and no header may have."""
    return os.environ.get(JUDGE_KEY_ENV, "").strip() or None


def hidden(text: str) -> str:
    """The text without the key."""
    found = key()
    return text.replace(found, _STARS) if found else text


@contextmanager
def out_of_logs() -> Iterator[None]:
    """Whatever a library logs meanwhile, tracebacks included."""
    former = logging.getLogRecordFactory()

    def made(*args: Any, **more: Any) -> logging.LogRecord:
        return _cleaned(former(*args, **more))

    logging.setLogRecordFactory(made)
    try:
        yield
    finally:
        logging.setLogRecordFactory(former)


def _cleaned(record: logging.LogRecord) -> logging.LogRecord:
    text = f"{record.msg} {record.args}"
    if hidden(text) != text:
        record.msg, record.args = hidden(record.getMessage()), ()
    if record.exc_info and record.exc_info[1]:
        text = "".join(traceback.format_exception(record.exc_info[1])).rstrip()
        if hidden(text) != text:
            record.exc_text = hidden(text)  # a formatter then makes none itself
    return record
