"""DNS for services: CoreDNS on the node's address, behind the Service kube-dns."""

from __future__ import annotations

from cluster import files, probe, processes
from cluster.control_plane import kubeconfig
from cluster.settings import DNS_DOMAIN, DNS_PORT, Settings

READY_PORT = 8181
# A name outside these zones is refused at once, as it should be where no such name is reachable.
COREFILE = """\
.:{port} {{
    bind {address}
    errors
    ready {address}:{ready}
    cache 5
    kubernetes {domain} in-addr.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl 5
    }}
}}
"""


def start(settings: Settings) -> None:
    """CoreDNS, until it has read the services."""
    config = settings.config / "Corefile"
    files.write(
        config,
        COREFILE.format(
            port=DNS_PORT,
            address=settings.node_address,
            ready=READY_PORT,
            domain=DNS_DOMAIN,
            kubeconfig=kubeconfig(settings, "dns"),
        ),
    )
    command = [str(settings.bin / "dns"), "-conf", str(config)]
    processes.keep(settings, "dns", command, configuration=[config])
    ready = f"http://{settings.node_address}:{READY_PORT}/ready"
    processes.wait_for(settings, "dns", lambda: probe.status(ready) == 200, seconds=60)
