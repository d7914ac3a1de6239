"""``hf://ORG/NAME`` and ``hf://datasets/ORG/NAME/PATH``, by huggingface_hub.

HF_ENDPOINT and HF_TOKEN, from the Secret that ``secretRef`` names, are the client's own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from martlet_api.contract import Input
from martlet_runtime.errors import FlowError
from martlet_runtime.sources import hub
from martlet_runtime.sources.hub import HubSource, Place, RemoteFile
from martlet_runtime.sources.missing import not_found

_TIMEOUT_SECONDS = 30.0


class HuggingFace:
    def place(self, wanted: Input) -> Place:
        return hub.split_repository(wanted)

    def commit(self, place: Place, wanted: Input) -> str | None:
        with _translated(place, wanted):
            info = HfApi().repo_info(
                place.repository,
                repo_type=_type(place),
                revision=wanted.revision,
                timeout=_TIMEOUT_SECONDS,
            )
            return info.sha

    def files(self, place: Place, wanted: Input) -> list[RemoteFile]:
        with _translated(place, wanted):
            info = HfApi().repo_info(
                place.repository,
                repo_type=_type(place),
                revision=wanted.commit,
                files_metadata=True,
                timeout=_TIMEOUT_SECONDS,
            )
        return [
            RemoteFile(file.rfilename, file.size or 0, file.lfs.sha256 if file.lfs else None)
            for file in info.siblings or []
        ]

    def fetch(self, place: Place, wanted: Input, path: str, folder: Path) -> Path:
        with _translated(place, wanted):
            found = HfApi().hf_hub_download(
                place.repository,
                path,
                repo_type=_type(place),
                revision=wanted.commit,
                local_dir=folder,
            )
        return Path(found)


@contextmanager
def _translated(place: Place, wanted: Input) -> Iterator[None]:
    """The client's errors as ours."""
    try:
        yield
    except GatedRepoError as error:
        raise hub.denied(wanted) from error
    except RevisionNotFoundError as error:
        raise hub.unknown_revision(wanted, _revisions(place)) from error
    except RepositoryNotFoundError as error:
        raise _missing_or_denied(wanted) from error
    except LocalEntryNotFoundError as error:
        raise hub.unavailable(wanted, error) from error
    except EntryNotFoundError as error:
        raise not_found(wanted, "the repository has no file of that name.") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        told = hub.denied(wanted) if status in (401, 403) else hub.unavailable(wanted, error)
        raise told from error
    except (httpx.HTTPError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None and error.filename:
            raise
        raise hub.unavailable(wanted, error) from error


def _missing_or_denied(wanted: Input) -> FlowError:
    """The hub answers 401 for what does not exist and for what is private alike."""
    return not_found(
        wanted, "the hub knows no such repository, or it is private and secretRef is missing."
    )


def _revisions(place: Place) -> list[str]:
    try:
        refs = HfApi().list_repo_refs(place.repository, repo_type=_type(place))
    except (HfHubHTTPError, httpx.HTTPError):
        return []
    return [ref.name for ref in (*refs.branches, *refs.tags)]


def _type(place: Place) -> str:
    return "dataset" if place.is_dataset else "model"


SOURCE = HubSource(HuggingFace())
