"""Whether an engine knows the arguments that it is to be started with.

Its own parser's words stand in a table, made by ``python images/parsers.py``; what a word's value
may be, the engine says when it starts.
"""

import difflib
import json
import re
from functools import cache
from importlib.resources import files

from martlet_operator.engines.dialect import EngineDialect, Processor

TABLE = "arguments.json"
_NUMBER = re.compile(r"-[0-9.]")
_LEVEL = ("-O", "--optimization-level")
"""How a word may begin that vLLM's parser makes another of."""
_NEAR, _SHOWN = 3, 80


def problem(dialect: EngineDialect, on: Processor, args: list[str]) -> str | None:
    """The first word that begins like an argument and that the engine of our image does not know,
    with those that are near; None where it knows all, or where there is no image of ours."""
    title = dialect.title(on)
    if on not in dialect.versions:
        return None
    known = _known()[title]
    for word in args:
        if word.startswith("-") and not _is_known(word, known, flexible=dialect.flexible):
            return f"{title} knows no argument {_name(word)[:_SHOWN]}; {_hint(word, known)}"
    return None


def _is_known(word: str, known: frozenset[str], *, flexible: bool) -> bool:
    if _NUMBER.match(word) or (word.startswith(_LEVEL[0]) and _LEVEL[1] in known):
        return True
    return (_flexibly(word) if flexible else _name(word)) in known


def _hint(word: str, known: frozenset[str]) -> str:
    near = difflib.get_close_matches(_flexibly(word), sorted(known), n=_NEAR, cutoff=0.7)
    if near:
        return f"did you mean {' or '.join(near)}? Names are written out in full."
    return "remove it."


def _name(word: str) -> str:
    return word.partition("=")[0]


def _flexibly(word: str) -> str:
    """The name as vLLM's parser reads it, and LMDeploy's: _ is -, and . ends it."""
    name = _name(word).partition(".")[0]
    return name.replace("_", "-") if name.startswith("--") else name


@cache
def _known() -> dict[str, frozenset[str]]:
    text = files("martlet_operator.engines").joinpath(TABLE).read_text(encoding="utf-8")
    return {title: frozenset(words) for title, words in json.loads(text).items()}
