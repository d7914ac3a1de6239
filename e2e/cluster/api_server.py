"""The command lines of etcd and kube-apiserver, for the cluster and for the API tests."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from cluster.certificates import Authority, Pair

AUDIT_POLICY = Path(__file__).with_name("audit_policy.yaml")
ISSUER = "https://kubernetes.default.svc.cluster.local"


def etcd_command(data: Path, client_port: int, peer_port: int) -> list[str]:
    """etcd on loopback alone, where only this machine (or this namespace) reaches it."""
    client, peer = (f"http://127.0.0.1:{port}" for port in (client_port, peer_port))
    return [
        "/usr/bin/etcd",
        "--name=default",
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        # Kubernetes compacts by itself; the default quota of 2 GiB would do as well.
        "--auto-compaction-retention=0",
        # What a killed etcd wrote is with the kernel; a machine that loses power loses the
        # cluster too. So nobody waits for a slow disk.
        "--unsafe-no-fsync",
        "--log-level=warn",
        "--logger=zap",
    ]


@dataclass(frozen=True)
class ApiServerPlace:
    """Where a kube-apiserver listens and keeps things."""

    program: Path
    etcd_port: int
    bind: IPv4Address
    advertise: IPv4Address
    port: int
    services: IPv4Network
    audit_log: Path
    server: Pair
    authority: Authority
    service_accounts: Pair


def api_server_command(place: ApiServerPlace) -> list[str]:
    """kube-apiserver with RBAC, the Node authorizer and an audit log of every write."""
    return [
        str(place.program),
        f"--etcd-servers=http://127.0.0.1:{place.etcd_port}",
        f"--bind-address={place.bind}",
        f"--advertise-address={place.advertise}",
        f"--secure-port={place.port}",
        f"--tls-cert-file={place.server.certificate}",
        f"--tls-private-key-file={place.server.key}",
        f"--client-ca-file={place.authority.certificate}",
        f"--service-cluster-ip-range={place.services}",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={place.service_accounts.certificate}",
        f"--service-account-signing-key-file={place.service_accounts.key}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--audit-policy-file={AUDIT_POLICY}",
        f"--audit-log-path={place.audit_log}",
        "--audit-log-mode=blocking",
        "--profiling=false",
    ]
