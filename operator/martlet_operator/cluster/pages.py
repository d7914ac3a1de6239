"""Reads the metrics page of a pod."""

import math

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT = aiohttp.ClientTimeout(total=2.0)


async def read_gauges(address: str, port: int) -> dict[str, float] | None:
    """Name to value of the samples without labels; None where the page does not answer."""
    page = await read_page(address, port)
    try:
        return None if page is None else parse_gauges(page)
    except ValueError:
        return None


async def read_page(address: str, port: int) -> str | None:
    """The text of ``/metrics``; None where it does not answer."""
    host = f"[{address}]" if ":" in address else address
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(f"http://{host}:{port}/metrics") as answer,
        ):
            return await answer.text() if answer.status == 200 else None
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
        return None


def parse_gauges(page: str) -> dict[str, float]:
    """The samples without labels of a page in Prometheus' text format; ValueError if it is none.

    A loss that is not a number is left out: no status could hold it.
    """
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if not sample.labels and math.isfinite(sample.value)
    }
