"""What can go wrong with the API server, by what to do next.

ApiError            anything below
├── NotFound        404: it is not there (or its CRD is not)
├── Conflict        409: somebody was quicker; read again
├── Refused         400, 403, 422: the same request will be refused again
│   └── NameTaken   our own refusal: the object is somebody else's
└── Unavailable     429, 5xx, no answer: try again later
"""


class ApiError(Exception):
    """An answer of the API server other than success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class NotFound(ApiError):  # noqa: N818 - named as the API names it
    """The object or its kind does not exist."""


class Conflict(ApiError):  # noqa: N818
    """The object changed since it was read."""


class Refused(ApiError):  # noqa: N818
    """The request is not allowed or not valid."""


class NameTaken(Refused):
    """An object of the wanted name exists and is not ours."""


class Unavailable(ApiError):  # noqa: N818
    """The API server cannot answer now."""


def error_for(status: int, message: str) -> ApiError:
    """The error class for an HTTP status."""
    if status == 404:
        return NotFound(status, message)
    if status == 409:
        return Conflict(status, message)
    if status in (400, 401, 403, 405, 422):
        return Refused(status, message)
    return Unavailable(status, message)
