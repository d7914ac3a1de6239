"""Traefik as the Gateway API's implementation, at port 80 of the node's address."""

from __future__ import annotations

from pathlib import Path

from cluster import manifests, probe, processes
from cluster.build import modules
from cluster.control_plane import kubeconfig
from cluster.node import kubectl
from cluster.settings import GATEWAY_PORT, Settings
from cluster.shell import run
from cluster.trim import GATEWAY_API


def install(settings: Settings) -> None:
    """The CRDs of the Gateway API's standard channel, from its Go module."""
    folder = modules([GATEWAY_API])[GATEWAY_API] / "config" / "crd" / "standard"
    files = sorted(folder.glob("*.yaml"))
    manifests.apply(settings, "\n---\n".join(file.read_text() for file in files))
    names = ["gatewayclasses", "gateways", "httproutes"]
    crds = [f"crd/{name}.gateway.networking.k8s.io" for name in names]
    run([*kubectl(settings), "wait", "--for=condition=Established", "--timeout=60s", *crds])


def command(settings: Settings, address: str, *providers: str) -> list[str | Path]:
    """Traefik at this address, with the routes that these providers tell."""
    return [
        settings.bin / "traefik",
        f"--entryPoints.models.address={address}",
        *providers,
        # A changed route holds after a tenth of a second, not after two.
        "--providers.providersThrottleDuration=100ms",
        "--log.level=DEBUG",
        "--log.noColor=true",
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
    ]


def start(settings: Settings) -> None:
    """GatewayClass, Gateway and Traefik, until the Gateway is Programmed."""
    manifests.apply_file(settings, "gateway.yaml")
    address = f"{settings.node_address}:{GATEWAY_PORT}"
    processes.keep(
        settings,
        "traefik",
        command(
            settings,
            address,
            "--providers.kubernetesGateway=true",
            f"--providers.kubernetesGateway.statusAddress.ip={settings.node_address}",
        ),
        {"KUBECONFIG": str(kubeconfig(settings, "traefik"))},
    )
    # Any answer will do: with no route yet it is "not found".
    processes.wait_for(
        settings,
        "traefik",
        lambda: probe.status(f"{settings.gateway_url}/") is not None,
        seconds=60,
    )
    run([*kubectl(settings), "wait", "--for=condition=Programmed", "--timeout=60s",
         "--namespace=gateway-system", "gateway/models"])  # fmt: skip
