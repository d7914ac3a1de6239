"""Asks each engine's own parser, without an accelerator, for the words that it knows.

``python images/parsers.py`` writes them where the operator finds them. The environment
``.venv-engines`` has the parsers: ``make .venv-engines/ready``.
"""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv-engines"
TABLE = ROOT / "operator/martlet_operator/engines/arguments.json"
OVERLAYS = {"vllm-cpu": None, "vllm-cuda": "vllm", "lmdeploy": "lmdeploy", "sglang": "sglang"}
"""By image, the folder of the environment that its engine is laid into; None for the environment
itself."""


def vllm() -> tuple[str, Any]:
    import vllm
    import vllm.platforms

    if not vllm.platforms.current_platform.device_type:
        vllm.platforms.current_platform.device_type = "cuda"  # there is none, and none is used
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    try:
        from vllm.entrypoints.common.cli_args import make_arg_parser  # 0.33
    except ImportError:
        from vllm.entrypoints.launchers.cli_args import make_arg_parser  # 0.32

    return f"vLLM {vllm.__version__}", make_arg_parser(FlexibleArgumentParser())


def lmdeploy() -> tuple[str, Any]:
    from lmdeploy.cli.cli import CLI
    from lmdeploy.cli.serve import SubCliServe
    from lmdeploy.version import __version__

    SubCliServe.add_parsers()
    found = SubCliServe.subparsers.choices["api_server"]
    assert isinstance(found, type(CLI.parser))
    return f"LMDeploy {__version__}", found


def sglang() -> tuple[str, Any]:
    from importlib.metadata import version

    from sglang.srt.server_args import ServerArgs

    found = argparse.ArgumentParser()
    ServerArgs.add_cli_args(found)
    return f"SGLang {version('sglang')}", found


PARSERS = {"vllm-cpu": vllm, "vllm-cuda": vllm, "lmdeploy": lmdeploy, "sglang": sglang}


def inside(image: str) -> None:
    """Where the engine is: answers what ``ask`` asks."""
    title, parser = PARSERS[image]()
    answers = [_refusal(parser, words) for words in json.load(sys.stdin)]
    print(json.dumps([title, sorted(parser._option_string_actions), answers]))


def _refusal(parser: Any, words: list[str]) -> str | None:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parser.parse_args(words)
    except (SystemExit, ValueError) as error:
        return said.getvalue() or str(error)
    return None


class Answer(NamedTuple):
    """An engine with its version, the words that its parser knows, and what it has against each
    list of words that it was handed; None where it takes them."""

    title: str
    known: list[str]
    refusals: list[str | None]


def ask(image: str, lists: Sequence[Sequence[str]] = ()) -> Answer:
    """Asks the parser of an image's engine. Raises CalledProcessError where there is none."""
    words = json.dumps([list(words) for words in lists])
    done = run(image, Path(__file__), "--of", image, given=words)
    return Answer(*json.loads(done.stdout.splitlines()[-1]))


def run(
    image: str, program: Path, *words: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs a program where an image's engine can be imported. CalledProcessError if it fails."""
    overlay = OVERLAYS[image]
    path = str(ENVIRONMENT / overlay) if overlay else ""
    quiet = {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "PYTHONPATH": path}
    return subprocess.run(
        [ENVIRONMENT / "bin/python", program, *words],
        cwd=ROOT,
        env={**os.environ, **quiet},
        input=given,
        stdout=subprocess.PIPE,
        text=True,
        timeout=900,
        check=True,
    )


def table(answers: Iterable[Answer]) -> str:
    """The words of all engines, by the name and version of each."""
    return json.dumps({answer.title: answer.known for answer in answers}, indent=1) + "\n"


def main() -> int:
    if sys.argv[1:2] == ["--of"]:
        inside(sys.argv[2])
        return 0
    TABLE.write_text(table(ask(image) for image in PARSERS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
