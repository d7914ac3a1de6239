"""Which tokens of a chat are learnt: against tables written by hand, and for any text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from martlet_api.conditions import Reason
from martlet_runtime.errors import RowError
from martlet_runtime.rendering import (
    IGNORED,
    render,
    render_answer,
    render_text,
    render_to_learn,
)

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


def words(template: str = CHATML, marks: tuple[str, ...] = (START, STOP)) -> Any:
    """A token a word, and one a mark; white space is none."""
    vocabulary = {word: index for index, word in enumerate([*marks, "?", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(list(marks))
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


LLAMA = (
    "<|begin_of_text|>{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>"
    "\n\n{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
MISTRAL = (
    "<s>{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% else %} {{ m['content'] }}</s>{% endif %}{% endfor %}"
)
GEMMA = (
    "<bos>{% for m in messages %}{% set role = m['role'] | replace('assistant', 'model') %}"
    "<start_of_turn>{{ role }}\n{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
TWICE = [ASKED, SKY, turn("user", "and down ?"), turn("assistant", "ground", loss=False)]
FAMILIES = [
    pytest.param(
        LLAMA,
        "<|begin_of_text|> <|start_header_id|> user <|end_header_id|> what is up ? <|eot_id|> "
        "<|start_header_id|> assistant <|end_header_id|> the sky <|eot_id|> "
        "<|start_header_id|> user <|end_header_id|> and down ? <|eot_id|> "
        "<|start_header_id|> assistant <|end_header_id|> ground <|eot_id|>",
        "0 0 0 0 0 0 0 0 0   0 0 0 1 1 1   0 0 0 0 0 0 0   0 0 0 0 0",
        id="Llama 3",
    ),
    pytest.param(
        MISTRAL,
        "<s> [INST] what is up ? [/INST] the sky </s> [INST] and down ? [/INST] ground </s>",
        "0   0      0    0  0  0 0       1   1   1    0      0   0    0 0       0      0",
        id="Mistral",
    ),
    pytest.param(
        GEMMA,
        "<bos> <start_of_turn> user what is up ? <end_of_turn> "
        "<start_of_turn> model the sky <end_of_turn> "
        "<start_of_turn> user and down ? <end_of_turn> <start_of_turn> model ground <end_of_turn>",
        "0 0 0 0 0 0 0 0   0 0 1 1 1   0 0 0 0 0 0   0 0 0 0",
        id="Gemma",
    ),
    pytest.param(
        CHATML,
        f"{START} user what is up ? {STOP} {START} assistant the sky {STOP} "
        f"{START} user and down ? {STOP} {START} assistant ground {STOP}",
        "0 0 0 0 0 0 0   0 0 1 1 1   0 0 0 0 0 0   0 0 0 0",
        id="ChatML",
    ),
]


@pytest.mark.parametrize(("template", "tokens", "learnt"), FAMILIES)
def test_each_family_of_templates_learns_the_same_words(
    template: str, tokens: str, learnt: str
) -> None:
    marks = tuple(dict.fromkeys(word for word in tokens.split() if word[0] in "<["))
    tokenizer = words(template, marks)
    rendered = render(tokenizer, TWICE, 100)
    shown = tokenizer.convert_ids_to_tokens(rendered["input_ids"])
    roles = {"model": "?"}
    assert shown == [roles.get(word, word) for word in tokens.split()]
    assert [int(label != IGNORED) for label in rendered["labels"]] == [
        int(flag) for flag in learnt.split()
    ]


TOOLS = (
    "{% if tools %}<tools>{{ tools[0]['name'] }}</tools>{% endif %}{% for m in messages %}"
    "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}{% for c in m['tool_calls'] or [] %}<call>"
    "{{ c['function']['name'] }}</call>{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_a_call_of_a_tool_is_learnt_and_its_answer_is_not() -> None:
    marks = (START, STOP, "<tools>", "</tools>", "<call>", "</call>")
    tokenizer = words(TOOLS, marks)
    call = {"type": "function", "function": {"name": "up", "arguments": {}}}
    messages = [ASKED, turn("assistant", "", tool_calls=[call]), turn("tool", "sky"), SKY]
    rendered = render(tokenizer, messages, 100, [{"name": "up"}])
    tokens = (
        f"<tools> up </tools> {START} user what is up ? {STOP} {START} assistant <call> up </call> "
        f"{STOP} {START} ? sky {STOP} {START} assistant the sky {STOP}"
    )
    learnt = "0 0 0   0 0 0 0 0 0 0   0 0 1 1 1 1   0 0 0 0   0 0 1 1 1"
    assert tokenizer.convert_ids_to_tokens(rendered["input_ids"]) == tokens.split()
    assert [int(label != IGNORED) for label in rendered["labels"]] == [
        int(flag) for flag in learnt.split()
    ]


def test_an_answer_apart_from_what_was_asked() -> None:
    tokenizer = words()
    asked, answer = render_answer(tokenizer, [ASKED, SKY, ASKED], "ground", 100)
    assert tokenizer.convert_ids_to_tokens(asked) == [
        *f"{START} user what is up ? {STOP} {START} assistant the sky {STOP}".split(),
        *f"{START} user what is up ? {STOP} {START} assistant".split(),
    ]
    assert tokenizer.convert_ids_to_tokens(answer) == ["ground", STOP]
    with pytest.raises(RowError, match="within 9 tokens"):
        render_answer(tokenizer, [ASKED], "ground", 9)


def test_a_text_longer_than_a_piece_is_split_and_nothing_is_lost() -> None:
    tokenizer = words()
    tokenizer.eos_token = STOP
    pieces = render_text(tokenizer, "the sky is up and down", 3)
    together = [token for piece in pieces for token in piece["input_ids"]]
    assert tokenizer.convert_ids_to_tokens(together) == ["the", "sky", "is", "up", "and", "down"]
    assert all(piece["labels"] == piece["input_ids"] for piece in pieces)
    (whole,) = render_text(tokenizer, "the sky", 9)
    assert tokenizer.convert_ids_to_tokens(whole["input_ids"]) == ["the", "sky", STOP]


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


def refusal(template: str, messages: list[Turn], max_length: int = 100) -> RowError:
    with pytest.raises(RowError) as caught:
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


def test_a_template_that_forgets_earlier_answers_is_told() -> None:
    error = refusal(FORGETFUL, [ASKED, SKY, ASKED, SKY])
    assert error.expected == "rows of one answer each"


def test_a_text_of_one_token_is_refused() -> None:
    with pytest.raises(RowError, match='no piece of the text "sky" has two tokens'):
        render_text(words(), "sky", 9)
