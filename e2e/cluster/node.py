"""The node: containerd, the kubelet and kube-proxy, with what they need to be told here."""

from __future__ import annotations

import json
from pathlib import Path

from cluster import cgroups, files, processes
from cluster.control_plane import Certificates, kubeconfig
from cluster.settings import DNS_DOMAIN, NODE_NAME, PAUSE_IMAGE, Settings
from cluster.shell import CommandError, run

CONTAINERD_CONFIG = """\
version = 2
root = "{data}"
state = "{state}"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
  address = "{socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{data}/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  stream_server_address = "127.0.0.1"
  # Lowering a process's OOM score takes CAP_SYS_RESOURCE, which a machine may not give.
  restrict_oom_score_adj = true
  disable_apparmor = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  netns_mounts_under_state_dir = true

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    # Half the disk: an image's layers are not kept a second time as archives.
    discard_unpacked_layers = true

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "/usr/sbin/runc"
        Root = "{state}/runc"
        SystemdCgroup = false

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"
"""


def start_containerd(settings: Settings) -> None:
    """containerd and the network plugins' configuration, until it answers."""
    cni = settings.config / "cni"
    _write_json(cni / "10-pods.conflist", _pod_network(settings))
    config = settings.config / "containerd.toml"
    files.write(
        config,
        CONTAINERD_CONFIG.format(
            data=settings.folder / "containerd",
            state=settings.run / "containerd",
            socket=settings.containerd_socket,
            pause=PAUSE_IMAGE,
            cni=cni,
        ),
    )
    command = ["/usr/bin/containerd", f"--config={config}"]
    processes.keep(settings, "containerd", command, configuration=[config])
    processes.wait_for(settings, "containerd", lambda: _containerd_answers(settings), seconds=30)


def ctr(settings: Settings) -> list[str]:
    """The words before a command to containerd about Kubernetes' images."""
    return ["/usr/bin/ctr", "--address", str(settings.containerd_socket), "--namespace", "k8s.io"]


def _containerd_answers(settings: Settings) -> bool:
    try:
        run([*ctr(settings), "version"])
    except CommandError:
        return False
    return True


def _pod_network(settings: Settings) -> dict[str, object]:
    """Every pod on a cable of its own to the node.

    With the `bridge` plugin two pods of one service would answer each other directly, past
    the node that must rewrite the answer's address; that takes br_netfilter.
    """
    return {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": str(settings.pods)}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }


def start_kubelet(settings: Settings, made: Certificates) -> None:
    """The kubelet, until the node is Ready."""
    cgroups.create(settings.name)
    config = settings.config / "kubelet.json"
    # Names outside the cluster are not resolved: there is nobody to ask.
    resolver = settings.config / "resolv.conf"
    files.write(resolver, "# no resolver outside the cluster\n")
    _write_json(config, _kubelet(settings, made, resolver))
    processes.keep(
        settings,
        "kubelet",
        [
            settings.bin / "kubelet",
            f"--config={config}",
            f"--kubeconfig={kubeconfig(settings, 'kubelet')}",
            f"--root-dir={settings.folder / 'kubelet'}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={settings.node_address}",
        ],
        configuration=[config],
    )
    processes.wait_for(settings, "kubelet", lambda: node_is_ready(settings), seconds=120)


def _kubelet(settings: Settings, made: Certificates, resolver: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": str(settings.node_address),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(made.authority.certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(made.kubelet_server.certificate),
        "tlsPrivateKeyFile": str(made.kubelet_server.key),
        "containerRuntimeEndpoint": f"unix://{settings.containerd_socket}",
        "clusterDNS": [str(settings.dns_service_address)],
        "clusterDomain": DNS_DOMAIN,
        "resolvConf": str(resolver),
        "podLogsDir": str(settings.logs / "pods"),
        "volumePluginDir": str(settings.folder / "kubelet" / "volume-plugins"),
        # cgroups: our own subtree, no systemd, and v1 where the machine still has it.
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{settings.name}",
        "failCgroupV1": False,
        "enforceNodeAllocatable": [],
        # The machine is not ours: no swap check, no eviction for its disk, no image is ever
        # collected (it could not be pulled again), no kernel setting is needed.
        "failSwapOn": False,
        "evictionHard": {},
        "imageGCHighThresholdPercent": 100,
        "localStorageCapacityIsolation": False,
        "makeIPTablesUtilChains": False,
        "maxOpenFiles": 20000,
        "featureGates": {"KubeletInUserNamespace": True},
        # A pod's end is seen, and its containers restarted, without a minute's delay.
        "syncFrequency": "10s",
    }


def node_is_ready(settings: Settings) -> bool:
    """Whether the API server has the node as Ready."""
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    try:
        return run([*kubectl(settings), "get", "node", NODE_NAME, "-o", path]) == "True"
    except CommandError:
        return False


def kubectl(settings: Settings) -> list[str]:
    """The words before a request as the admin."""
    return [
        str(settings.bin / "kubectl"),
        f"--kubeconfig={settings.kubeconfig}",
        # Not in the user's home: `down` leaves no file behind.
        f"--cache-dir={settings.folder / 'kubectl-cache'}",
    ]


def start_kube_proxy(settings: Settings) -> None:
    """Services' addresses, by nftables inside the namespace."""
    config = settings.config / "kube-proxy.json"
    content: dict[str, object] = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig(settings, "kube-proxy"))},
        "mode": "nftables",
        "clusterCIDR": str(settings.pods),
        "hostnameOverride": NODE_NAME,
        # These would change limits of the whole machine.
        "conntrack": {"maxPerCore": 0, "min": 0},
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "nftables": {"minSyncPeriod": "100ms"},
    }
    _write_json(config, content)
    processes.keep(
        settings,
        "kube-proxy",
        [settings.bin / "kube-proxy", f"--config={config}"],
        configuration=[config],
    )


def _write_json(path: Path, content: dict[str, object]) -> None:
    files.write(path, json.dumps(content, indent=1) + "\n")
