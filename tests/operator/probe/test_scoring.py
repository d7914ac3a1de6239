"""Right or wrong, by the user's own words."""

from typing import Any

import pytest

from martlet_api.probe import Expectation, Probe
from martlet_operator.probe.scoring import invalid, is_right, question_for_judge, verdict_of


@pytest.mark.parametrize(
    ("expect", "answer", "right"),
    [
        ({"exact": "barn"}, " barn\n", True),
        ({"exact": "barn"}, "a barn", False),
        ({"exact": ""}, " ", True),
        ({"regex": r"(?i)\bbarn\b"}, "In the Barn.", True),
        ({"regex": "^barn$"}, "In the barn", False),
        ({"judge": "It is polite."}, "Please.", None),
    ],
)
def test_answers(expect: dict[str, Any], answer: str, right: bool | None) -> None:
    assert is_right(Expectation.model_validate(expect), answer) is right


def test_a_pattern_that_takes_for_ever_elsewhere_takes_no_time() -> None:
    """Python's own would take longer than the world has been there."""
    assert is_right(Expectation(regex="^(a+)+$"), "a" * 5000 + "b") is False


def probe(*patterns: str) -> Probe:
    message = {"role": "user", "content": "Where?"}
    prompts = [{"messages": [message], "expect": {"regex": p}} for p in patterns]
    return Probe.model_validate({"prompts": prompts})


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "a{2000}"])
def test_what_is_no_pattern_is_told_with_its_place(pattern: str) -> None:
    said = invalid(probe("fine", pattern))
    assert said is not None
    assert said.startswith("spec.canary.probe.prompts[1].expect.regex is no pattern of RE2: ")


def test_patterns_that_are_fine() -> None:
    assert invalid(probe("barn", r"^\d+$")) is None


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("yes", True),
        ("Yes.", True),
        (" **no** since it is rude", False),
        ("No, it is not", False),
        ("Perhaps", None),
        ("", None),
        ("yesterday", None),
    ],
)
def test_a_judge_says_yes_or_no_or_nothing(said: str, verdict: bool | None) -> None:
    assert verdict_of(said) is verdict


def test_a_judge_is_asked_with_all_it_must_know() -> None:
    text = question_for_judge("It is polite.", "Where?", "There!")
    assert all(part in text for part in ("It is polite.", "Where?", "There!", "yes or no"))
