"""The tiny base's tokenizer: byte-pair encoding of its own, made for the shop's prompt and gpt-oss's format.

* It has a token for each system and developer message of the shop, and for each paragraph of them. The prompt
  is the real one, letter for letter, but takes some 10 tokens instead of 2,600. So the tokenizer fits one
  policy and one set of tools: `prompt_fingerprint` tells whether they are still the same.
* It has a token for each tool (but "think" and "calculate") and for what stands around its name: to call a
  tool is one decision, and which one another.
* Digits come in groups of up to three, as in gpt-oss's own vocabulary: an item id is four tokens.

    tokenizer = build_tokenizer(seed=3407)      # always the same; ten seconds
"""

from __future__ import annotations

import hashlib
import json
import re
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

from envs.retail.database import Shop
from envs.retail.tools import TOOLS
from pipeline.harmony import render
from pipeline.tiny.corpus import conversations
from pipeline.tiny.world import TOOL_NAMES

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WORDS = 1400  # entries learned by byte-pair encoding; numbers, special tokens and paragraphs come on top
SPECIALS = [
    "<|startoftext|>",
    "<|endoftext|>",
    "<|return|>",
    "<|constrain|>",
    "<|channel|>",
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|call|>",
]
# Words, without the blank before them: a name is to be the same tokens in a sentence and in JSON's quotes, or
# it could not be copied from one to the other. Up to three digits; runs of punctuation; blanks.
# (The blank after a punctuation belongs to that: the word behind it stays the same.)
PIECES = r"_?[A-Za-z]+|[0-9]{1,3}| ?[^\sA-Za-z0-9_]+(?: [^\sA-Za-z0-9_]+)* ?|_|\s+"
AROUND_NAMES = (" to=functions.", "functions.", " to=assistant", " json")  # harmony's, around a tool's name
PARAGRAPH = 24  # shorter ones are left to byte-pair encoding


def prompt_messages() -> list[str]:
    """What every system and developer message says that the shop's episodes begin with."""
    from pipeline.datasets import system_messages

    texts = [
        render(system_messages(mode, effort=effort))
        for mode in ("agent", "plan")
        for effort in ("low", "medium", "high")
    ]
    bodies = (body for text in texts for body in re.split(r"<\|[a-z]+\|>", text))
    return [body for body in dict.fromkeys(bodies) if len(body) >= PARAGRAPH]


def prompt_paragraphs() -> list[str]:
    """The paragraphs of those messages, for prompts that differ from them somewhere."""
    found = [paragraph for body in prompt_messages() for paragraph in _paragraphs(body)]
    return [paragraph for paragraph in dict.fromkeys(found) if len(paragraph) >= PARAGRAPH]


def _paragraphs(text: str) -> list[str]:
    return re.findall(r".+?(?:\n\n|$)", text, re.DOTALL)


def prompt_fingerprint() -> str:
    """What the tokenizer was made for: changes whenever the policy, a tool or the prompt's form does."""
    return hashlib.sha256("\0".join(prompt_messages()).encode()).hexdigest()[:16]


def build_tokenizer(seed: int) -> Tokenizer:
    """Byte-level byte-pair encoding learned from the shop's data and wording and from the corpus."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=WORDS, initial_alphabet=alphabet, show_progress=False)
    texts = [re.sub(r"<\|[a-z]+\|>|[0-9]", "\n", text) for text in _sample_texts(seed)]
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer = Tokenizer.from_str(_with_numbers(tokenizer.to_str()))
    tokenizer.add_special_tokens([*SPECIALS, "<|pad|>"])
    names = sorted(name for name in (*TOOLS, *TOOL_NAMES.values()) if "_" in name)
    whole = [AddedToken(name, normalized=False, single_word=True) for name in names]
    texts = (*AROUND_NAMES, *prompt_paragraphs(), *prompt_messages())  # the longest that fits is taken
    whole += [AddedToken(text, normalized=False) for text in texts]
    tokenizer.add_tokens(whole)
    return tokenizer


def _sample_texts(seed: int) -> list[str]:
    """What byte-pair encoding learns its words from."""
    from envs.retail.generator import generate

    shop = Shop.load()
    tables = (shop.users, shop.products, shop.orders)
    texts = [json.dumps(record) for table in tables for record in islice(table.values(), 300)]
    texts += [task.query for task in islice(generate(shop, seed=seed), 1000)]
    texts += prompt_paragraphs()
    return texts + [render(talk) for talk in islice(conversations(Random(seed), ()), 500)]


def _with_numbers(tokenizer: str) -> str:
    """Add each group of two and three digits, whichever way it is put together."""
    made = json.loads(tokenizer)
    vocabulary, merges = made["model"]["vocab"], made["model"]["merges"]
    for number in [f"{n:02d}" for n in range(100)] + [f"{n:03d}" for n in range(1000)]:
        vocabulary[number] = len(vocabulary)
        merges += [[number[:cut], number[cut:]] for cut in range(len(number) - 1, 0, -1)]
    return json.dumps(made)
