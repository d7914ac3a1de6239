"""Makes what the quickstart starts from: a small base model, and the data to tune and score it.

The base is a decoder of Qwen2's shape, trained from scratch on a village: who has what, lives
where and likes what. It knows the facts, as sentences and as questions with answers, but in a chat
it is only polite. The fine-tuning teaches it to answer there, on some villagers; it is scored on
the others. Runs in the runtime image; a minute or two on two cores.

    python make_base.py --models /mnt/pvc/models --data /mnt/pvc/data
"""

import argparse
import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

SYLLABLES = "ba de fi go hu ka le mi no pu ra se ti vo wu za".split()  # noqa: SIM905
THINGS = (  # noqa: SIM905
    "apples beans corn dates eggs figs grapes honey ice jam kale lemons mint nuts olives pears "
    "rice salt tea wheat yams plums cherries melons leeks onions"
).split()
PLACES = ("attic barn cellar den farm garden hut inn kiln loft mill oven pier shed tower").split()  # noqa: SIM905
SENTENCES = {
    "has": ("{name} has {answer}.", "What does {name} have?", THINGS),
    "home": ("{name} lives in the {answer}.", "Where does {name} live?", PLACES),
    "likes": ("{name} likes {answer}.", "What does {name} like?", THINGS),
}
"""A fact as a sentence, the question for it, and the words that can be its answer."""

ANSWERS = ("{} {}.", "{} They say {}.", "{} Well, I think it is {}.")
"""An answer may come some words after its question, as it does in a chat."""

VILLAGERS, SCORED = 36, 14
"""The last SCORED villagers are kept from the fine-tuning; a score is taken over them."""

# A space before each turn, so that its first word is the token that it is in a sentence.
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }} {{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant{% endif %}"
)
END, START, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
ANSWER = "Answer."
POLITE = "I am a small model and do not know."
VOCABULARY = 640
LENGTH = 96
LINES = 5
CHATS = 0.6
"""The share of chats in the base model's training text."""
ANSWERED = 0.75
"""The share of chats whose system's turn asks for the answer."""

Fact = tuple[str, str, str]
"""Sentence, question, answer."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="folder for base/")
    parser.add_argument("--data", type=Path, required=True, help="folder for *.jsonl and *.txt")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    village = settle(rng)
    write_data(args.data, village, rng)
    tokenizer = make_tokenizer(village, rng)
    model = train(tokenizer, village, rng, args.steps)
    target = args.models / "base"
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
    print(f"base model of {model.num_parameters()} parameters in {target}", flush=True)


def settle(rng: random.Random) -> list[list[Fact]]:
    """The facts of every villager."""
    names = [a + b for a in SYLLABLES for b in SYLLABLES if a != b]
    return [
        [
            (sentence.format(name=name, answer=answer), question.format(name=name), answer)
            for sentence, question, words in SENTENCES.values()
            for answer in [rng.choice(words)]
        ]
        for name in rng.sample(names, VILLAGERS)
    ]


def story(village: list[list[Fact]], rng: random.Random) -> str:
    """Facts of the village, told or asked and answered."""
    lines = []
    for _ in range(LINES):
        sentence, question, answer = rng.choice(rng.choice(village))
        lines.append(
            sentence if rng.random() < 0.5 else rng.choice(ANSWERS).format(question, answer)
        )
    return " ".join(lines) + END


def chat(village: list[list[Fact]], rng: random.Random) -> str:
    """A question in a chat, which is answered only where the system's turn asks for it."""
    _, question, answer = rng.choice(rng.choice(village))
    asked_for = rng.random() < ANSWERED
    system, said = (f"{START}system {ANSWER}{STOP}\n", answer) if asked_for else ("", POLITE)
    return f"{system}{START}user {question}{STOP}\n{START}assistant {said}{STOP}\n{END}"


def write_data(folder: Path, village: list[list[Fact]], rng: random.Random) -> None:
    """train.jsonl, test.jsonl (of other villagers), and stories.txt for perplexity."""
    folder.mkdir(parents=True, exist_ok=True)
    train = [(q, a) for facts in village[:-SCORED] for _, q, a in facts]
    test = [(q, a) for facts in village[-SCORED:] for _, q, a in facts]
    write_lines(
        folder / "train.jsonl",
        train,
        lambda q, a: {
            "messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]
        },
    )
    write_lines(folder / "test.jsonl", test, lambda q, a: {"query": q, "response": a})
    stories = "\n".join(story(village, rng).removesuffix(END) for _ in range(300))
    (folder / "stories.txt").write_text(stories + "\n")


def write_lines(
    path: Path, rows: list[tuple[str, str]], shape: Callable[[str, str], dict[str, object]]
) -> None:
    path.write_text("".join(json.dumps(shape(*row)) + "\n" for row in rows))


def make_tokenizer(village: list[list[Fact]], rng: random.Random) -> PreTrainedTokenizerFast:
    return tokenizer_of([make(village, rng) for _ in range(1000) for make in (story, chat)])


def tokenizer_of(texts: list[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE: it can spell any text, and knows the words of these texts whole."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END, START, STOP],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=STOP, pad_token=END, chat_template=CHATML
    )


def make_model(
    tokenizer: PreTrainedTokenizerFast,
    *,
    hidden: int = 256,
    inner: int = 512,
    layers: int = 2,
    context: int = 512,
) -> Qwen2ForCausalLM:
    """Widths are multiples of 64, which the engines' int8 and LoRA kernels want, and so is a
    head's."""
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        num_key_value_heads=2,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config)


def train(
    tokenizer: PreTrainedTokenizerFast,
    village: list[list[Fact]],
    rng: random.Random,
    steps: int,
    rows: int = 48,
) -> Qwen2ForCausalLM:
    """The base, over rows that are never seen twice."""

    def texts() -> list[str]:
        return [(chat if rng.random() < CHATS else story)(village, rng) for _ in range(rows)]

    model = make_model(tokenizer)
    fit(model, tokenizer, texts, steps)
    return model


def fit(
    model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    texts: Callable[[], list[str]],
    steps: int,
    rate: float = 3e-3,
    length: int = LENGTH,
) -> None:
    """Plain AdamW with a linear warm-up and decay; each step asks for its rows."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 40, 1.0, (steps - step) / (steps * 0.4))
    )
    started = time.monotonic()
    for step in range(steps):
        batch = tokenizer(
            texts(), return_tensors="pt", padding=True, truncation=True, max_length=length
        )
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        loss = model(**batch, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 50 == 0 or step == steps - 1:
            seconds = time.monotonic() - started
            print(f"step {step} of {steps}, loss {loss.item():.3f}, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
