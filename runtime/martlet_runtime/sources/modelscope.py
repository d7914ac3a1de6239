"""``ms://ORG/NAME`` and ``ms://datasets/ORG/NAME/PATH``, by ModelScope's client.

MODELSCOPE_DOMAIN and MODELSCOPE_API_TOKEN, from the Secret that ``secretRef`` names, are the
client's own. Its API tells no commit of a branch, but of each file the commit that changed it last:
the newest of them is taken as the branch's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from modelscope_hub.api import HubApi
from modelscope_hub.errors import (
    AuthenticationError,
    FileIntegrityError,
    HubError,
    NotExistError,
    PermissionDeniedError,
)

from martlet_api.contract import Input
from martlet_runtime.sources import hub
from martlet_runtime.sources.hub import HubSource, Place, RemoteFile
from martlet_runtime.sources.missing import not_found

_DEFAULT_REVISION = "master"


class ModelScope:
    def place(self, wanted: Input) -> Place:
        return hub.split_repository(wanted)

    def commit(self, place: Place, wanted: Input) -> str | None:
        revision = wanted.revision or _DEFAULT_REVISION
        entries = self._entries(place, wanted, revision)
        dated = [(e.get("CommittedDate") or 0, e["Revision"]) for e in entries if e.get("Revision")]
        return max(dated)[1] if dated else revision

    def files(self, place: Place, wanted: Input) -> list[RemoteFile]:
        return [
            RemoteFile(entry["Path"], int(entry.get("Size") or 0), entry.get("Sha256") or None)
            for entry in self._entries(place, wanted, wanted.commit or _DEFAULT_REVISION)
            if entry.get("Type") != "tree"
        ]

    def fetch(self, place: Place, wanted: Input, path: str, folder: Path) -> Path:
        with _translated(place, wanted):
            return HubApi().download_file(
                place.repository, _type(place), path, revision=wanted.commit, local_dir=folder
            )

    def _entries(self, place: Place, wanted: Input, revision: str) -> list[dict[str, Any]]:
        with _translated(place, wanted):
            if wanted.commit is None:
                _check_revision(place, wanted, revision)
            names = _revisions(place)
            try:
                found: list[dict[str, Any]] = HubApi().legacy.list_repo_files(
                    repo_id=place.repository, repo_type=_type(place), revision=revision
                )
            except NotExistError as error:
                # The repository is there, so it is the revision that is not.
                raise hub.unknown_revision(wanted, names) from error
        return found


def _check_revision(place: Place, wanted: Input, revision: str) -> None:
    """Names that are neither branch nor tag may still be commits: those are tried as they are."""
    names = _revisions(place)
    if revision not in names and not _looks_like_commit(revision):
        raise hub.unknown_revision(wanted, names)


def _looks_like_commit(revision: str) -> bool:
    return len(revision) >= 7 and all(c in "0123456789abcdef" for c in revision)


def _revisions(place: Place) -> list[str]:
    listed = HubApi().list_repo_revisions(place.repository, _type(place))
    return [str(entry.get("Revision") or entry.get("name")) for entry in listed]


@contextmanager
def _translated(place: Place, wanted: Input) -> Iterator[None]:
    """The client's errors as ours."""
    try:
        yield
    except (AuthenticationError, PermissionDeniedError) as error:
        raise hub.denied(wanted) from error
    except NotExistError as error:
        raise not_found(wanted, "the hub knows no such repository or file.") from error
    except FileIntegrityError as error:
        raise hub.unavailable(wanted, error) from error
    except (HubError, requests.RequestException) as error:
        raise hub.unavailable(wanted, error) from error


def _type(place: Place) -> str:
    return "dataset" if place.is_dataset else "model"


SOURCE = HubSource(ModelScope())
