"""The certificates of every program, and etcd, API server, controller manager and scheduler."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from cluster import kubeconfigs, probe, processes
from cluster.api_server import ApiServerPlace, api_server_command, etcd_command
from cluster.certificates import Authority, Pair, authority, service_account_keys
from cluster.settings import API_PORT, DNS_DOMAIN, NODE_NAME, Settings

ETCD_PORT, ETCD_PEER_PORT = 2379, 2380
ANY = IPv4Address("0.0.0.0")  # inside a namespace that only this machine can reach
LOOPBACK = IPv4Address("127.0.0.1")
# Program -> its user and groups, as Kubernetes' own RBAC rules and addons.yaml name them.
USERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "admin": ("admin", ("system:masters",)),
    "kube-controller-manager": ("system:kube-controller-manager", ()),
    "kube-scheduler": ("system:kube-scheduler", ()),
    "kubelet": (f"system:node:{NODE_NAME}", ("system:nodes",)),
    "kube-proxy": ("system:kube-proxy", ()),
    "dns": ("martlet-e2e:dns", ()),
    "local-provisioner": ("martlet-e2e:storage", ()),
    "traefik": ("martlet-e2e:gateway", ()),
}


@dataclass(frozen=True)
class Certificates:
    """All that is signed before anything starts."""

    authority: Authority
    server: Pair
    kubelet_server: Pair
    kubelet_client: Pair
    service_accounts: Pair


def certificates(settings: Settings) -> Certificates:
    """Make what is missing, with a kubeconfig for each user of USERS."""
    signer = authority(settings.pki)
    for name, (user, groups) in USERS.items():
        kubeconfigs.write(
            kubeconfig(settings, name),
            server=settings.api_url,
            authority=signer,
            client=signer.client(name, user, groups),
        )
    hosts = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    return Certificates(
        authority=signer,
        server=signer.server(
            "kube-apiserver-server",
            [*hosts, f"kubernetes.default.svc.{DNS_DOMAIN}"],
            [LOOPBACK, settings.node_address, settings.api_service_address],
        ),
        kubelet_server=signer.server("kubelet-server", [NODE_NAME], [settings.node_address]),
        kubelet_client=signer.client("kube-apiserver-kubelet", "martlet-e2e:api-server"),
        service_accounts=service_account_keys(settings.pki),
    )


def kubeconfig(settings: Settings, program: str) -> Path:
    return settings.kubeconfig if program == "admin" else settings.pki / f"{program}.kubeconfig"


def start_api(settings: Settings, made: Certificates) -> None:
    """etcd and the API server, until it answers."""
    data = settings.folder / "etcd"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    processes.keep(settings, "etcd", etcd_command(data, ETCD_PORT, ETCD_PEER_PORT))
    processes.keep(settings, "kube-apiserver", _api_server(settings, made))
    context = client_context(settings)
    processes.wait_for(
        settings,
        "kube-apiserver",
        lambda: probe.status(f"{settings.api_url}/readyz", context) == 200,
        seconds=90,
    )


def client_context(settings: Settings) -> ssl.SSLContext:
    """TLS as the admin."""
    context = ssl.create_default_context(cafile=str(settings.pki / "ca.crt"))
    context.load_cert_chain(settings.pki / "admin.crt", settings.pki / "admin.key")
    return context


def _api_server(settings: Settings, made: Certificates) -> list[str]:
    place = ApiServerPlace(
        program=settings.bin / "kube-apiserver",
        etcd_port=ETCD_PORT,
        bind=ANY,
        advertise=settings.node_address,
        port=API_PORT,
        services=settings.services,
        audit_log=settings.audit_log,
        server=made.server,
        authority=made.authority,
        service_accounts=made.service_accounts,
    )
    return [
        *api_server_command(place),
        f"--kubelet-certificate-authority={made.authority.certificate}",
        f"--kubelet-client-certificate={made.kubelet_client.certificate}",
        f"--kubelet-client-key={made.kubelet_client.key}",
        "--kubelet-preferred-address-types=InternalIP",
    ]


def start_controllers(settings: Settings, made: Certificates) -> None:
    """The controller manager and the scheduler; what they do shows when pods run."""
    processes.keep(settings, "kube-controller-manager", _controller_manager(settings, made))
    processes.keep(settings, "kube-scheduler", _scheduler(settings))


def _controller_manager(settings: Settings, made: Certificates) -> list[str]:
    config = kubeconfig(settings, "kube-controller-manager")
    return [
        str(settings.bin / "kube-controller-manager"),
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        f"--service-account-private-key-file={made.service_accounts.key}",
        f"--root-ca-file={made.authority.certificate}",
        "--use-service-account-credentials",
        # There is one of it: an election would only write to the API server all the time.
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        "--profiling=false",
    ]


def _scheduler(settings: Settings) -> list[str]:
    config = kubeconfig(settings, "kube-scheduler")
    return [
        str(settings.bin / "kube-scheduler"),
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        "--profiling=false",
    ]
