"""The cluster's network and mount namespaces, held open by one sleeping process.

Network: no uplink, joined to the host by one cable. Mounts: /run, /var/lib and /var/log
are the cluster's own, because containerd, the kubelet and the CNI plugins write to fixed
paths there; and the kubelet finds the kernel settings that it insists on in files of ours,
so that it does not change them for the whole machine. Both namespaces vanish with the last
process inside, and with them the cable, the routes and every mount of every pod.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from cluster import cgroups, processes
from cluster.settings import Settings
from cluster.shell import CommandError, run

HOLDER = "namespace"
SET_UP_MOUNTS = """
set -e
mount --make-rshared /
for folder in /run /var/lib /var/log; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
keep() { echo "$2" > "/run/kernel/${1##*/}"; mount --bind "/run/kernel/${1##*/}" "/proc/sys/$1"; }
mkdir /run/kernel
keep vm/overcommit_memory 1
keep vm/panic_on_oom 0
keep kernel/panic 10
keep kernel/panic_on_oops 1
keep kernel/keys/root_maxkeys 1000000
keep kernel/keys/root_maxbytes 25000000
mkdir /run/lock /var/lib/kubelet /var/lib/cni /var/log/containers
touch "$1"
exec sleep infinity
"""


def create(settings: Settings) -> None:
    """Start the holder unless it runs, and lay the cable; raises CommandError."""
    ready = settings.run / "mounts-ready"
    if processes.running(settings, HOLDER) is None:
        _forget_the_last(settings)
        ready.unlink(missing_ok=True)
        processes.start_outside(
            settings,
            HOLDER,
            ["unshare", "--net", "--mount", "--propagation", "slave",
             "sh", "-c", SET_UP_MOUNTS, "sh", ready],
        )  # fmt: skip
    processes.wait_for(settings, HOLDER, ready.exists, seconds=20)
    _lay_cable(settings)


def _forget_the_last(settings: Settings) -> None:
    """As after a restart of the machine: nothing runs, and containerd knows of no container.

    Without the holder nothing new could join what still runs in the last namespaces.
    """
    cgroups.end_processes(settings.name)
    cut_cable(settings)
    shutil.rmtree(settings.run / "containerd", ignore_errors=True)


def enter(settings: Settings) -> list[str]:
    """The words before a command that is to run inside; raises CommandError when nothing runs."""
    holder = processes.running(settings, HOLDER)
    if holder is None:
        raise CommandError("the cluster's namespaces are gone; run `down`, then `up`")
    # Not `ip netns exec`: that one mounts a new /sys, which hides the cgroups.
    return ["nsenter", f"--net=/proc/{holder}/ns/net", f"--mount=/proc/{holder}/ns/mnt"]


def _lay_cable(settings: Settings) -> None:
    """Idempotent: what exists is left, what is missing is added."""
    holder = processes.running(settings, HOLDER)
    link, prefix = settings.host_link, settings.link.prefixlen
    if not Path(f"/sys/class/net/{link}").exists():
        run(["ip", "link", "add", link, "type", "veth", "peer", "name", "uplink",
             "netns", str(holder)])  # fmt: skip
    run(["ip", "address", "replace", f"{settings.host_address}/{prefix}", "dev", link])
    run(["ip", "link", "set", link, "up"])
    for network in (settings.pods, settings.services):
        run(["ip", "route", "replace", str(network), "via", str(settings.node_address)])
    inside = enter(settings)
    run([*inside, "sh", "-ec", INSIDE, "sh", f"{settings.node_address}/{prefix}",
         str(settings.services)])  # fmt: skip


# A service's address must have a route before kube-proxy's rules can rewrite it: a bridge
# with nothing on it gives one ("dummy" devices are not in every kernel).
INSIDE = """
ip link set lo up
ip address replace "$1" dev uplink
ip link set uplink up
ip link show services >/dev/null 2>&1 || ip link add services type bridge
ip link set services up
ip route replace "$2" dev services
echo 1 > /proc/sys/net/ipv4/ip_forward
"""


def cut_cable(settings: Settings) -> None:
    """Remove the host's end, if it is still there (the namespace's end takes it along)."""
    if Path(f"/sys/class/net/{settings.host_link}").exists():
        try:
            run(["ip", "link", "delete", settings.host_link])
        except CommandError:
            # The dying namespace may have taken it between the look and the command.
            if Path(f"/sys/class/net/{settings.host_link}").exists():
                raise
