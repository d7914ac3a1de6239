"""Artifacts: folders that appear whole or not at all, known by the digest of their manifest."""

from martlet_runtime.artifacts.manifest import Listing, list_files, verify
from martlet_runtime.artifacts.writing import check_writable, find, seal, settle, write, write_file

__all__ = [
    "Listing",
    "check_writable",
    "find",
    "list_files",
    "seal",
    "settle",
    "verify",
    "write",
    "write_file",
]
