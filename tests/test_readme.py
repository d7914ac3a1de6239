"""The README's tree and commands are what there is."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def blocks() -> list[str]:
    return re.findall(r"^```\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def tree() -> set[str]:
    text = next(block for block in blocks() if block.startswith("Makefile"))
    return {line.split()[0].rstrip("/") for line in text.splitlines()}


def test_the_tree_is_what_git_tracks_at_the_top() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    top = {path.split("/")[0] for path in listed if not path.startswith(".")}
    assert tree() == top - {"README.md"}


def test_its_commands_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert {"demo", "test", "cluster-down", "help"} <= named <= targets


def test_ci_runs_the_test_command() -> None:
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text()


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target
