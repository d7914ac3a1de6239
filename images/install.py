"""Installs a lock into /opt/martlet. Runs inside an image's build, never on a machine of yours.

``python3 install.py LOCK`` stands beside LOCK and uv.txt. It makes the environment where there is
none yet, installs with hashes checked, compiles to bytecode, and takes out what no program loads.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ENVIRONMENT = Path("/opt/martlet")
USER = "martlet:x:10001:10001::/tmp:/usr/sbin/nologin\n"
GROUP = "martlet:x:10001:\n"
UV = Path("/run/uv/uv")
"""A build may mount uv here, and its cache beside it; without, it is fetched and thrown away."""
UV_CACHE = Path("/run/uv-cache")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
TESTED = ("networkx", "numpy", "pandas", "pyarrow", "scipy", "sympy")
"""Packages that bring their own tests, 100 MB in all, in folders that nothing imports."""


def main(lock: Path) -> None:
    _add_user()
    python = ENVIRONMENT / "bin/python"
    if not python.exists():
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", str(ENVIRONMENT)], check=True
        )
    with tempfile.TemporaryDirectory() as scratch:
        _install(_uv(lock.parent / "uv.txt", Path(scratch)), lock)
    freed = sum(_remove(path) for path in _superfluous())
    print(f"{lock.name}: took out {freed / 1e6:.0f} MB of tests and static libraries")


def _add_user() -> None:
    """Name uid 10001: libraries ask for the name of the user that they run as."""
    for file, line in (("/etc/passwd", USER), ("/etc/group", GROUP)):
        path = Path(file)
        if line not in path.read_text():
            path.write_text(path.read_text() + line)


def _uv(lock: Path, scratch: Path) -> Path:
    if UV.exists():
        return UV
    subprocess.run([sys.executable, "-m", "venv", str(scratch / "uv")], check=True)
    pip = [str(scratch / "uv/bin/python"), "-m", "pip", "install", "--no-cache-dir"]
    subprocess.run([*pip, "--require-hashes", "-r", str(lock)], env=_environment(), check=True)
    return scratch / "uv/bin/uv"


def _install(uv: Path, lock: Path) -> None:
    command = [str(uv), "pip", "install", "--python", str(ENVIRONMENT / "bin/python")]
    # The lock is complete and has its overrides in it, which the packages' own wishes have not.
    command += ["--no-deps", "--require-hashes", "--requirement", str(lock)]
    subprocess.run(command, env=_environment(), check=True)


def _environment() -> dict[str, str]:
    cache = {"UV_CACHE_DIR": str(UV_CACHE)} if UV_CACHE.exists() else {"UV_NO_CACHE": "1"}
    trust = {}
    if CERTIFICATES.exists():
        trust = {"SSL_CERT_FILE": str(CERTIFICATES), "PIP_CERT": str(CERTIFICATES)}
    return {
        **trust,
        **os.environ,
        **cache,
        "UV_COMPILE_BYTECODE": "1",
        "UV_LINK_MODE": "copy",
        "UV_NO_PROGRESS": "1",
    }


def _superfluous() -> Iterator[Path]:
    for packages in ENVIRONMENT.glob("lib/python3*/site-packages"):
        yield from packages.rglob("*.a")
        for package in TESTED:
            yield from (packages / package).rglob("tests")


def _remove(path: Path) -> int:
    """The bytes that it held; 0 where an outer folder was removed before it."""
    if path.is_dir():
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        shutil.rmtree(path)
        return size
    size = path.stat().st_size if path.exists() else 0
    path.unlink(missing_ok=True)
    return size


if __name__ == "__main__":
    main(Path(sys.argv[1]))
