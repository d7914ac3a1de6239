"""``s3://BUCKET/PATH``: a folder or a data file, by fsspec and s3fs.

AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL..., from the Secret that ``secretRef``
names, are the client's own. S3 has no commits; what was hashed in preflight is compared in stage.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from martlet_api.contract import Input
from martlet_runtime.sources import hub
from martlet_runtime.sources.hub import HubSource, Place, RemoteFile
from martlet_runtime.sources.missing import not_found


class S3:
    def place(self, wanted: Input) -> Place:
        """The folder is the repository; a data file's path is its name in it."""
        rest = wanted.uri.removeprefix("s3://").rstrip("/")
        if wanted.kind != "Dataset":
            return Place(rest, "", is_dataset=False)
        folder, _, name = rest.rpartition("/")
        return Place(folder, name, is_dataset=True)

    def commit(self, place: Place, wanted: Input) -> str | None:
        return None

    def files(self, place: Place, wanted: Input) -> list[RemoteFile]:
        with _translated(wanted):
            found = _filesystem().find(place.repository, detail=True)
        if not found:
            raise not_found(wanted, "the bucket has nothing under that path.")
        prefix = f"{place.repository}/"
        return [
            RemoteFile(name.removeprefix(prefix), int(entry["size"]), None)
            for name, entry in sorted(found.items())
        ]

    def fetch(self, place: Place, wanted: Input, path: str, folder: Path) -> Path:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with _translated(wanted):
            _filesystem().get_file(f"{place.repository}/{path}", str(target))
        return target


def _filesystem() -> Any:
    return fsspec.filesystem("s3", use_listings_cache=False)


@contextmanager
def _translated(wanted: Input) -> Iterator[None]:
    """The client's errors as ours."""
    try:
        yield
    except (PermissionError, NoCredentialsError) as error:
        raise hub.denied(wanted) from error
    except FileNotFoundError as error:
        raise not_found(wanted, "the bucket has nothing under that path.") from error
    except (ClientError, BotoCoreError) as error:
        raise hub.unavailable(wanted, error) from error
    except OSError as error:
        if error.filename:
            raise
        raise hub.unavailable(wanted, error) from error


SOURCE = HubSource(S3())
