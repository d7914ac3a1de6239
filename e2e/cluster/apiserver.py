"""A real API server alone, for tests of what it accepts: etcd and kube-apiserver on loopback.

    with ApiServer() as server:
        client = ...(server.kubeconfig)

No controller, no node and no namespace of its own. Needs Debian's etcd and the built
Kubernetes programs: `python -m cluster build` makes both ready.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import TracebackType
from typing import Self

from cluster import kubeconfigs, packages, ports, probe, settings
from cluster.api_server import ApiServerPlace, api_server_command, etcd_command
from cluster.certificates import authority, service_account_keys

LOOPBACK = IPv4Address("127.0.0.1")
SERVICES = IPv4Network("198.18.32.0/20")
READY_SECONDS = 60.0


class ApiServerError(Exception):
    """The API server cannot be started; the message says why."""


class ApiServer:
    """Starts in a few seconds and leaves nothing: a context manager."""

    def __init__(self, program: Path | None = None) -> None:
        self.program = program or settings.from_environment().bin / "kube-apiserver"
        self.folder = Path()
        self.port = 0
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        return f"https://{LOOPBACK}:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        """For a user in system:masters."""
        return self.folder / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """One JSON object a line for every request that wrote."""
        return self.folder / "audit.log"

    def kubeconfig_for(self, user: str, groups: tuple[str, ...] = ()) -> Path:
        """A kubeconfig for any other user, to test RBAC."""
        signer = authority(self.folder / "pki")
        path = self.folder / f"{user.replace(':', '-').replace('/', '-')}.kubeconfig"
        client = signer.client(path.stem, user, groups)
        kubeconfigs.write(path, server=self.url, authority=signer, client=client)
        return path

    def __enter__(self) -> Self:
        self._check()
        self.folder = Path(tempfile.mkdtemp(prefix="martlet-apiserver-"))
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _check(self) -> None:
        if not self.program.exists():
            raise ApiServerError(
                f"{self.program} is not built; run `PYTHONPATH=e2e python -m cluster build`"
            )
        if packages.missing(packages.API_SERVER_NEEDED):
            raise ApiServerError("etcd is not installed; run `apt-get install etcd-server`")

    def _start(self) -> None:
        etcd_port, peer_port, self.port = ports.free(3)
        signer = authority(self.folder / "pki")
        place = ApiServerPlace(
            program=self.program,
            etcd_port=etcd_port,
            bind=LOOPBACK,
            # Never dialled; it must be given where the machine has no default route, and must
            # not be loopback.
            advertise=IPv4Address("198.18.0.1"),
            port=self.port,
            services=SERVICES,
            audit_log=self.audit_log,
            server=signer.server("server", ["localhost"], [LOOPBACK]),
            authority=signer,
            service_accounts=service_account_keys(self.folder / "pki"),
        )
        admin = signer.client("admin", "admin", ["system:masters"])
        kubeconfigs.write(self.kubeconfig, server=self.url, authority=signer, client=admin)
        self._run("etcd", etcd_command(self.folder / "etcd", etcd_port, peer_port))
        self._run(
            "kube-apiserver",
            [*api_server_command(place), "--endpoint-reconciler-type=none"],
        )
        context = ssl.create_default_context(cafile=str(signer.certificate))
        context.load_cert_chain(admin.certificate, admin.key)
        self._wait(lambda: probe.status(f"{self.url}/readyz", context) == 200)

    def _run(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    # They must not outlive a test run that is killed.
                    ["setpriv", "--pdeathsig", "KILL", *command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self.folder,
                    # A Ctrl-C in the terminal is for the tests; we end these two ourselves.
                    start_new_session=True,
                )
            )

    def _wait(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not ready():
            ended = [process for process in self._processes if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise ApiServerError(f"the API server does not become ready:\n{self._last_lines()}")
            time.sleep(0.05)

    def _last_lines(self) -> str:
        logs = sorted(self.folder.glob("*.log"))
        tails = [(log.name, log.read_text(errors="replace")[-1500:]) for log in logs]
        return "\n".join(f"--- {name}\n{tail}" for name, tail in tails)

    def stop(self) -> None:
        """End both programs and remove the folder."""
        for process in self._processes:
            # Nothing of theirs is kept, so there is nothing to be gentle about.
            process.kill()
        for process in self._processes:
            process.wait()
        self._processes.clear()
        if self.folder != Path():
            shutil.rmtree(self.folder, ignore_errors=True)
