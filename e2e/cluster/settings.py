"""Where the cluster keeps its files and which addresses it uses: decided here and nowhere else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

KUBERNETES_VERSION = "v1.35.4"
API_PORT = 6443
DNS_PORT = 5353
GATEWAY_PORT = 80
NODE_NAME = "node"
DNS_DOMAIN = "cluster.local"
PAUSE_IMAGE = "localhost/martlet/pause:1"
STORAGE_CLASS = "local"

REPOSITORY = Path(__file__).resolve().parents[2]
GO_MODULE = Path(__file__).resolve().parent / "go"
# 198.18.0.0/15 is set aside for tests between networks, so it collides with nobody's hosts.
TEST_NETWORK = IPv4Network("198.18.0.0/15")
# Inside the cluster's mount namespace these are empty: its files must lie elsewhere.
HIDDEN_INSIDE = (Path("/run"), Path("/var/run"), Path("/var/lib"), Path("/var/log"))


class SettingsError(Exception):
    """An environment variable asks for something that cannot work."""


@dataclass(frozen=True)
class Settings:
    """One cluster: its name, its folder, and its block of addresses (a /18)."""

    name: str
    folder: Path
    block: IPv4Network
    bin: Path

    @property
    def pods(self) -> IPv4Network:
        """The first half of the block."""
        return next(self.block.subnets(new_prefix=19))

    @property
    def services(self) -> IPv4Network:
        """A sixteenth of the block, right after the pods."""
        return list(self.block.subnets(new_prefix=22))[8]

    @property
    def link(self) -> IPv4Network:
        """The last four addresses: the cable between the host and the cluster."""
        return list(self.block.subnets(new_prefix=30))[-1]

    @property
    def host_address(self) -> IPv4Address:
        return self.link[1]

    @property
    def node_address(self) -> IPv4Address:
        return self.link[2]

    @property
    def api_service_address(self) -> IPv4Address:
        return self.services[1]

    @property
    def dns_service_address(self) -> IPv4Address:
        return self.services[10]

    @property
    def api_url(self) -> str:
        return f"https://{self.node_address}:{API_PORT}"

    @property
    def gateway_url(self) -> str:
        return f"http://{self.node_address}:{GATEWAY_PORT}"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.log"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def config(self) -> Path:
        return self.folder / "config"

    @property
    def run(self) -> Path:
        """Sockets and process ids."""
        return self.folder / "run"

    @property
    def volumes(self) -> Path:
        return self.folder / "volumes"

    @property
    def buildah_root(self) -> Path:
        return self.folder / "buildah" / "root"

    @property
    def containerd_socket(self) -> Path:
        return self.run / "containerd.sock"

    @property
    def host_link(self) -> str:
        """The name of the host's end of the cable (15 characters at most)."""
        return f"{self.name[:10]}-host"


def from_environment(environment: dict[str, str] | None = None) -> Settings:
    """Settings from MARTLET_CLUSTER_{NAME,DIR,CIDR,BIN}; raises SettingsError."""
    given = os.environ if environment is None else environment
    folder = Path(given.get("MARTLET_CLUSTER_DIR") or REPOSITORY / ".cluster").absolute()
    settings = Settings(
        name=given.get("MARTLET_CLUSTER_NAME", "martlet"),
        folder=folder,
        block=_block(given.get("MARTLET_CLUSTER_CIDR", "198.18.0.0/18")),
        bin=Path(given.get("MARTLET_CLUSTER_BIN") or folder / "bin").absolute(),
    )
    _check(settings)
    return settings


def _block(text: str) -> IPv4Network:
    try:
        block = IPv4Network(text)
    except ValueError as error:
        raise SettingsError(f"MARTLET_CLUSTER_CIDR is {text!r}: {error}") from error
    if block.prefixlen != 18 or not block.subnet_of(TEST_NETWORK):
        raise SettingsError(f"MARTLET_CLUSTER_CIDR is {text!r}: give a /18 inside {TEST_NETWORK}")
    return block


def _check(settings: Settings) -> None:
    if not settings.name.isalnum() or not settings.name.isascii() or len(settings.name) > 10:
        raise SettingsError(
            f"MARTLET_CLUSTER_NAME is {settings.name!r}: give 1 to 10 letters and digits"
        )
    for hidden in HIDDEN_INSIDE:
        if settings.folder.resolve().is_relative_to(hidden):
            raise SettingsError(
                f"the cluster's folder {settings.folder} lies under {hidden}, which the cluster's "
                "processes cannot see; set MARTLET_CLUSTER_DIR to a folder elsewhere"
            )
    # A Unix socket's path has at most 107 characters; the longest under our folder takes 60.
    if len(str(settings.folder)) > 47:
        raise SettingsError(
            f"the path {settings.folder} is too long for the sockets in it (47 characters at "
            "most); set MARTLET_CLUSTER_DIR to a shorter one"
        )
