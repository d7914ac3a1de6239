"""Copies of Traefik and its libraries without the parts that cost most of the build.

Two thirds of Traefik's build are the SDKs of clouds and discovery services that the
cluster's gateway never talks to. The copies are made from the modules that go.sum
vouches for, and a second go.mod puts them in the modules' place. (`go build -overlay`
would do without copies, but it refuses files of the module cache.)

One thing is added: a gateway that cuts off a stream now and then would hide what rollouts lose.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from cluster.settings import GO_MODULE

TRAEFIK = "github.com/traefik/traefik/v3"
LEGO = "github.com/go-acme/lego/v4"
GATEWAY_API = "sigs.k8s.io/gateway-api"
OURS = GO_MODULE / "_trimmed"
NOT_COPIED = {
    TRAEFIK: ["docs", "integration", "script", "webui/src", "webui/public"],
    LEGO: ["docs", "e2e", "providers", "cmd"],
    GATEWAY_API: ["conformance", "geps", "site-src", "hack", "examples", "config"],
}
REPLACED = {
    (LEGO, "providers/dns/dns_providers.go"): "lego_dns_providers.go",
    (TRAEFIK, "pkg/plugins/builder.go"): "traefik_plugins_builder.go",
    (TRAEFIK, "pkg/metrics/datadog.go"): "traefik_metrics_datadog.go",
    (TRAEFIK, "pkg/metrics/influxdb2.go"): "traefik_metrics_influxdb2.go",
    (TRAEFIK, "pkg/metrics/statsd.go"): "traefik_metrics_statsd.go",
    (TRAEFIK, "pkg/server/full_duplex.go"): "traefik_full_duplex.go",
}
REMOVED = [
    (TRAEFIK, "pkg/logs/wasm.go"),
    (TRAEFIK, "pkg/plugins/middlewarewasm.go"),
    (TRAEFIK, "pkg/plugins/middlewareyaegi.go"),
    (TRAEFIK, "pkg/plugins/providers.go"),
    (TRAEFIK, "pkg/plugins/wasip.go"),
    (TRAEFIK, "pkg/plugins/wasip_mock.go"),
]
# Traefik's providers of configuration that go: their packages and their names in the settings.
PROVIDER_PACKAGES = ["consulcatalog", "docker", "ecs", "kv/[a-z]+", "nomad"]
PROVIDERS = [
    "Docker", "Swarm", "ConsulCatalog", "Nomad", "Ecs", "Consul", "Etcd", "ZooKeeper", "Redis",
]  # fmt: skip


class TrimError(Exception):
    """A module's file is not what this was written for."""


def without_providers(source: str) -> str:
    """A Go file with the imports, fields and `if` blocks of the left-out providers gone."""
    names, packages = "|".join(PROVIDERS), "|".join(PROVIDER_PACKAGES)
    source = re.sub(rf'(?m)^\t"{TRAEFIK}/pkg/provider/(?:{packages})"\n', "", source)
    source = re.sub(rf"(?m)^\t(?:{names}) +\*.*\n", "", source)
    return re.sub(
        rf"(?ms)^\tif (?:c\.Providers|conf)\.(?:{names}) != nil \{{\n.*?^\t\}}\n\n?", "", source
    )


def with_newer_merge(source: str) -> str:
    """A Go file of the Gateway API's, for the structured-merge-diff of our client-go."""
    return source.replace("structured-merge-diff/v4", "structured-merge-diff/v6")


def with_full_duplex(source: str) -> str:
    """Traefik's entry points, with what traefik_full_duplex.go adds before all other handlers."""
    before = "\tserverHTTP := &http.Server{\n"
    return source.replace(before, f"\thandler = withFullDuplex(handler)\n\n{before}")


EDITED = {
    (TRAEFIK, "pkg/server/server_entrypoint_tcp.go"): with_full_duplex,
    (TRAEFIK, "pkg/config/static/static_config.go"): without_providers,
    (TRAEFIK, "pkg/provider/aggregator/aggregator.go"): without_providers,
    (GATEWAY_API, "applyconfiguration/internal/internal.go"): with_newer_merge,
}


def write(folder: Path, modules: dict[str, Path]) -> Path:
    """Make the copies in `folder` and return the go.mod to build with; raises TrimError."""
    shutil.rmtree(folder, ignore_errors=True)
    copies = {module: folder / module.replace("/", "-") for module in modules}
    for module, original in modules.items():
        _copy(original, copies[module], NOT_COPIED[module])
    for module, file in REMOVED:
        _existing(copies, module, file).unlink()
    for (module, file), edit in EDITED.items():
        _edit(_existing(copies, module, file), edit)
    for (module, file), ours in REPLACED.items():
        place = copies[module] / file
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(OURS / ours, place)
    return _module_file(folder, copies)


def _copy(original: Path, copy: Path, not_copied: list[str]) -> None:
    """Copy without the module cache's write protection."""

    def left_out(folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(original)
        return {name for name in names if _unwanted(inside / name, not_copied)}

    shutil.copytree(original, copy, ignore=left_out, copy_function=shutil.copyfile)


def _unwanted(path: Path, not_copied: list[str]) -> bool:
    return (
        str(path) in not_copied
        or path.name.startswith(".")
        or path.name.endswith("_test.go")
        or path.name in ("testdata", "fixtures")
    )


def _existing(copies: dict[str, Path], module: str, file: str) -> Path:
    path = copies[module] / file
    if not path.exists():
        raise TrimError(f"{module} has no {file} in the version of go.mod: bring trim.py up to it")
    return path


def _edit(file: Path, edit: Callable[[str], str]) -> None:
    before = file.read_text()
    after = edit(before)
    if after == before:
        raise TrimError(f"{file} has nothing that {edit.__name__} changes: bring trim.py up to it")
    file.write_text(after)


def _module_file(folder: Path, copies: dict[str, Path]) -> Path:
    """Our go.mod with the copies in their modules' place, and its go.sum beside it."""
    lines = [f"replace {module} => {copy}" for module, copy in sorted(copies.items())]
    path = folder / "go.mod"
    path.write_text("\n".join([(GO_MODULE / "go.mod").read_text(), *lines, ""]))
    shutil.copyfile(GO_MODULE / "go.sum", folder / "go.sum")
    return path
