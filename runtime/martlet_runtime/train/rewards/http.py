"""A reward that an endpoint of the user's gives."""

import math
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from martlet_api.conditions import Reason
from martlet_api.training import Reward
from martlet_runtime.errors import RetryableError, UserError
from martlet_runtime.train.rewards.base import Answer, Score

_TIMEOUT_SECONDS = 60
_RETRY = Retry(
    total=5,
    backoff_factor=1,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=("POST",),
    respect_retry_after_header=True,
)
_SHOWN = 200


def endpoint(reward: Reward, tokenizer: Any) -> Score:
    """POST ``{"prompts", "completions", "rows"}``; answers ``{"rewards": [a number each]}``."""
    url, timeout = reward.url, reward.timeout_seconds or _TIMEOUT_SECONDS
    assert url is not None
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=_RETRY))

    def score(answers: list[Answer]) -> list[float]:
        asked = {
            "prompts": [answer.prompt for answer in answers],
            "completions": [answer.text for answer in answers],
            "rows": [answer.row for answer in answers],
        }
        try:
            response = session.post(url, json=asked, timeout=timeout, allow_redirects=False)
        except requests.RequestException as error:
            raise RetryableError(
                Reason.SOURCE_UNAVAILABLE,
                f"The reward's endpoint {url} does not answer: {error}. Training goes on from its "
                "last checkpoint once it is tried again.",
            ) from error
        return _rewards(response, len(answers), url)

    return score


def _rewards(response: requests.Response, wanted: int, url: str) -> list[float]:
    try:
        found = response.json()["rewards"] if response.ok else None
        numbers = [float(number) for number in found] if found is not None else []
    except (ValueError, KeyError, TypeError):
        numbers = []
    if len(numbers) == wanted and all(map(math.isfinite, numbers)):
        return numbers
    raise UserError(
        Reason.REWARD_INVALID,
        f"The reward's endpoint {url} was asked for {wanted} numbers and answered "
        f"{response.status_code}: {response.text[:_SHOWN]!r}. It must answer "
        '{"rewards": [a finite number for each completion]}. Mend it, then set a new spec.retry.',
    )
