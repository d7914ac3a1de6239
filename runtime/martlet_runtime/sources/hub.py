"""What all remote sources share: which files are brought, hashed, compared, and what may go wrong.

A scheme's module says how its client resolves a revision, lists files and fetches one.
"""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from martlet_api.conditions import Reason
from martlet_api.contract import Input
from martlet_runtime.artifacts import Listing
from martlet_runtime.artifacts.manifest import File
from martlet_runtime.errors import RetryableError, UserError
from martlet_runtime.paths import Paths
from martlet_runtime.sources.missing import not_found

_MODEL_ENDINGS = (".safetensors", ".json", ".jinja", ".model", ".txt", ".tiktoken")
"""Weights, configuration, tokenizer and template. No pickle and no code."""
_DATA_ENDINGS = (".parquet", ".jsonl", ".json", ".csv", ".tsv", ".txt", ".arrow", ".gz", ".md")
"""Of a benchmark's folder: data, and the card that says which files are which subset. No code."""


@dataclass(frozen=True)
class RemoteFile:
    """``sha256`` is None where the hub does not publish it."""

    path: str
    size: int
    sha256: str | None


@dataclass(frozen=True)
class Place:
    """What a URI names: a repository or bucket, and a path inside it for a data file."""

    repository: str
    path: str
    is_dataset: bool


class Hub(Protocol):
    """A client. Its methods raise FlowErrors alone."""

    def place(self, wanted: Input) -> Place: ...

    def commit(self, place: Place, wanted: Input) -> str | None: ...

    def files(self, place: Place, wanted: Input) -> list[RemoteFile]: ...

    def fetch(self, place: Place, wanted: Input, path: str, folder: Path) -> Path:
        """Downloads a file and returns where under ``folder`` it lies."""


class HubSource:
    """A source over a hub's client."""

    remote = True

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def size(self, wanted: Input) -> int:
        return sum(file.size for file in self._chosen(self._hub.place(wanted), wanted))

    def resolve(self, wanted: Input, paths: Paths) -> str | None:
        return self._hub.commit(self._hub.place(wanted), wanted)

    def listing(self, wanted: Input, paths: Paths, scratch: Path) -> Listing:
        """Files whose SHA-256 the hub does not publish are fetched to be hashed."""
        place = self._hub.place(wanted)
        chosen = self._chosen(place, wanted)
        unknown = [file for file in chosen if file.sha256 is None]
        check_space(scratch, sum(file.size for file in unknown), wanted.uri)
        known = [self._hashed(place, wanted, file, scratch) for file in chosen]
        return Listing.of(_named(file, wanted) for file in known)

    def bring_configuration(self, wanted: Input, paths: Paths, target: Path) -> None:
        place = self._hub.place(wanted)
        chosen = [file for file in self._chosen(place, wanted) if not is_weights(file.path)]
        self._lay_out(place, wanted, chosen, target)

    def bring(self, wanted: Input, paths: Paths, target: Path) -> None:
        place = self._hub.place(wanted)
        self._lay_out(place, wanted, self._chosen(place, wanted), target)

    def _lay_out(self, place: Place, wanted: Input, chosen: list[RemoteFile], target: Path) -> None:
        check_space(target.parent, sum(file.size for file in chosen), wanted.uri)
        scratch = target.with_name(f".{target.name}.download")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        for file in chosen:
            fetched = self._fetch(place, wanted, file, scratch)
            final = target if wanted.kind == "Dataset" else target / file.path
            final.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(fetched, final)
        shutil.rmtree(scratch)

    def _chosen(self, place: Place, wanted: Input) -> list[RemoteFile]:
        files = self._hub.files(place, wanted)
        if wanted.kind != "Dataset":
            endings = _MODEL_ENDINGS if wanted.kind == "Model" else _DATA_ENDINGS
            return [file for file in files if is_brought(file.path, endings)]
        found = [file for file in files if file.path == place.path]
        if not found:
            names = ", ".join(file.path for file in files[:10]) or "nothing"
            raise not_found(wanted, f"the repository holds {names}.")
        return found

    def _hashed(self, place: Place, wanted: Input, file: RemoteFile, scratch: Path) -> RemoteFile:
        if file.sha256 is not None:
            return file
        fetched = self._hub.fetch(place, wanted, file.path, scratch)
        return RemoteFile(file.path, fetched.stat().st_size, _sha256(fetched))

    def _fetch(self, place: Place, wanted: Input, file: RemoteFile, scratch: Path) -> Path:
        fetched = self._hub.fetch(place, wanted, file.path, scratch)
        if file.sha256 is not None and _sha256(fetched) != file.sha256:
            raise UserError(
                Reason.DIGEST_MISMATCH,
                f"{file.path} of {wanted.uri} is not what the hub says it is: its SHA-256 differs "
                "from the published one. Tell the hub's owner, or name another revision.",
            )
        return fetched


def is_brought(path: str, endings: tuple[str, ...] = _MODEL_ENDINGS) -> bool:
    """Whether a file is one that engines, tokenizers or benchmarks read, inside its folder."""
    parts = path.split("/")
    plain = all(part and not part.startswith(".") for part in parts)
    return plain and path.endswith(endings)


def is_weights(path: str) -> bool:
    return path.endswith(".safetensors")


def check_space(folder: Path, needed: int, uri: str) -> None:
    """DiskFull before the download rather than in its middle."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            Reason.DISK_FULL,
            f"{uri} needs {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free. Give the pod's "
            "node more ephemeral storage, or put the model on a volume and name it by pvc://.",
        )


def unavailable(wanted: Input, error: object) -> RetryableError:
    text = str(error).strip().splitlines()
    return RetryableError(
        Reason.SOURCE_UNAVAILABLE,
        f"{wanted.uri} cannot be brought now: {text[0] if text else type(error).__name__}. It is "
        "tried again.",
    )


def denied(wanted: Input) -> UserError:
    return UserError(
        Reason.ACCESS_DENIED,
        f"{wanted.uri} may not be read. Put a token that may into a Secret, name it by secretRef "
        "beside the URI, and set a new spec.retry.",
    )


def unknown_revision(wanted: Input, names: list[str]) -> UserError:
    known = f" It has {', '.join(sorted(names)[:10])}." if names else ""
    return UserError(
        Reason.REVISION_NOT_FOUND,
        f"{wanted.uri} has no revision {wanted.commit or wanted.revision}.{known} Correct "
        "revision.",
    )


def split_repository(wanted: Input, prefix: str = "datasets/") -> Place:
    """``ORG/NAME`` of a model, ``datasets/ORG/NAME/PATH`` of a data file, or
    ``datasets/ORG/NAME`` of a benchmark's data."""
    rest = wanted.uri.partition("://")[2]
    is_dataset = rest.startswith(prefix)
    parts = rest.removeprefix(prefix).strip("/").split("/") if is_dataset else rest.split("/")
    of_data, depth = wanted.kind != "Model", 3 if wanted.kind == "Dataset" else 2
    if len(parts) < depth or (of_data and not is_dataset):
        scheme = wanted.uri.partition("://")[0]
        path = "/PATH" if wanted.kind == "Dataset" else ""
        form = f"{scheme}://{prefix if of_data else ''}ORG/NAME{path}"
        raise not_found(wanted, f"it is not of the form {form}.")
    return Place("/".join(parts[:2]), "/".join(parts[2:]), is_dataset)


def _named(file: RemoteFile, wanted: Input) -> File:
    assert file.sha256 is not None
    path = "." if wanted.kind == "Dataset" else file.path
    return File(path, file.size, file.sha256)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
