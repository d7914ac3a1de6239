"""Which tokens of a chat are learnt: against tables written by hand, and for any text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from martlet_api.conditions import Reason
from martlet_runtime.errors import UserError
from martlet_runtime.rendering import IGNORED, render, render_to_learn

pytestmark = pytest.mark.torch

START, STOP = "<|im_start|>", "<|im_end|>"
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ALTERNATING = (
    "{% if messages and messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}" + CHATML
)
FORGETFUL = (
    "{% for m in messages %}{% if m['role'] == 'user' or loop.last %}<|im_start|>{{ m['role'] }}\n"
    "{{ m['content'] }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WORDS = "system user assistant be brief what is up the sky and down ground".split()  # noqa: SIM905
Turn = dict[str, Any]


def words(template: str = CHATML) -> PreTrainedTokenizerFast:
    """A token a word; white space is none."""
    vocabulary = {word: index for index, word in enumerate([START, STOP, "?", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([START, STOP])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=template)


def characters() -> PreTrainedTokenizerFast:
    """A token a byte, as byte-level tokenizers do with what they do not know."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([START, STOP])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=CHATML)


def turn(role: str, content: str, **more: Any) -> Turn:
    return {"role": role, "content": content, **more}


ASKED = turn("user", "what is up ?")
SKY = turn("assistant", "the sky")
TABLES = [
    pytest.param(
        [ASKED, SKY],
        f"{START} user what is up ? {STOP} {START} assistant the sky {STOP}",
        "0        0    0    0  0  0 0       0        0         1   1   1",
        id="one answer",
    ),
    pytest.param(
        [turn("system", "be brief"), ASKED, SKY],
        f"{START} system be brief {STOP} {START} user what is up ? {STOP} "
        f"{START} assistant the sky {STOP}",
        "0 0 0 0 0   0 0 0 0 0 0 0   0 0 1 1 1",
        id="a system prompt is not learnt",
    ),
    pytest.param(
        [ASKED, SKY, turn("user", "and down ?"), turn("assistant", "ground")],
        f"{START} user what is up ? {STOP} {START} assistant the sky {STOP} "
        f"{START} user and down ? {STOP} {START} assistant ground {STOP}",
        "0 0 0 0 0 0 0   0 0 1 1 1   0 0 0 0 0 0   0 0 1 1",
        id="both answers",
    ),
    pytest.param(
        [ASKED, turn("assistant", "the sky", loss=False), ASKED, turn("assistant", "ground")],
        f"{START} user what is up ? {STOP} {START} assistant the sky {STOP} "
        f"{START} user what is up ? {STOP} {START} assistant ground {STOP}",
        "0 0 0 0 0 0 0   0 0 0 0 0   0 0 0 0 0 0 0   0 0 1 1",
        id="an answer marked loss: false",
    ),
    pytest.param(
        [turn("user", "assistant the sky"), turn("assistant", "the sky")],
        f"{START} user assistant the sky {STOP} {START} assistant the sky {STOP}",
        "0 0 0 0 0 0   0 0 1 1 1",
        id="the answer's words in the question",
    ),
]


@pytest.mark.parametrize(("messages", "tokens", "learnt"), TABLES)
def test_answers_and_their_stops_are_learnt(messages: list[Turn], tokens: str, learnt: str) -> None:
    tokenizer = words()
    rendered = render(tokenizer, messages, 100)
    assert tokenizer.convert_ids_to_tokens(rendered["input_ids"]) == tokens.split()
    assert [int(label != IGNORED) for label in rendered["labels"]] == [
        int(flag) for flag in learnt.split()
    ]


def test_a_learnt_token_is_its_own_label() -> None:
    rendered = render(words(), [ASKED, SKY], 100)
    pairs = zip(rendered["input_ids"], rendered["labels"], strict=True)
    assert all(label in (IGNORED, token) for token, label in pairs)


def test_a_long_row_is_cut_at_max_length() -> None:
    rendered = render(words(), [ASKED, SKY], 10)
    assert len(rendered["input_ids"]) == len(rendered["labels"]) == 10
    assert [label != IGNORED for label in rendered["labels"]] == [False] * 9 + [True]


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="<|>"), min_size=1)


@given(questions=st.lists(TEXT, min_size=1, max_size=3), data=st.data())
def test_what_is_learnt_is_the_answers_letter_by_letter(
    questions: list[str], data: st.DataObject
) -> None:
    tokenizer = characters()
    answers = [data.draw(TEXT.filter(str.strip)) for _ in questions]
    pairs = zip(questions, answers, strict=True)
    messages = [t for q, a in pairs for t in (turn("user", q), turn("assistant", a))]
    rendered = render(tokenizer, messages, 10_000)
    learnt = [label for label in rendered["labels"] if label != IGNORED]
    assert tokenizer.decode(learnt) == "".join(answer + STOP for answer in answers)


def refusal(template: str, messages: list[Turn], max_length: int = 100) -> UserError:
    with pytest.raises(UserError) as caught:
        render_to_learn(words(template), messages, max_length)
    return caught.value


def test_a_row_whose_answer_is_cut_off_is_refused_by_its_beginning() -> None:
    error = refusal(CHATML, [ASKED, SKY], 8)
    assert error.reason == Reason.DATASET_INVALID
    assert '"what is up ?"' in error.message
    assert "8 tokens" in error.message


def test_a_row_of_no_loss_at_all_is_refused() -> None:
    error = refusal(CHATML, [ASKED, turn("assistant", "the sky", loss=False)])
    assert error.reason == Reason.DATASET_INVALID


def test_a_row_that_the_template_refuses_is_told_with_the_templates_own_words() -> None:
    error = refusal(ALTERNATING, [turn("system", "be brief"), ASKED, SKY])
    assert error.reason == Reason.DATASET_INVALID
    assert '"be brief"' in error.message
    assert "System role not supported" in error.message


def test_a_template_that_forgets_earlier_answers_is_refused() -> None:
    error = refusal(FORGETFUL, [ASKED, SKY, ASKED, SKY])
    assert error.reason == Reason.MODEL_INVALID
