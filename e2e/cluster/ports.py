"""Ports of loopback that nobody listens at."""

from __future__ import annotations

import socket


def free(count: int) -> list[int]:
    """Ports that are free now, all different (held together while asking)."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
