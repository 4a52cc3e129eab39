"""The committed tiny base fits today's prompt, and is made as its README says."""

import hashlib
import json
import re
from itertools import groupby, islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.retail.tools import TOOLS
from pipeline.datasets import system_messages
from pipeline.harmony import Call, render, segments
from pipeline.harmony_parse import parse
from pipeline.tiny.base import FOLDER
from pipeline.tiny.corpus import conversations
from pipeline.tiny.tokenizer import AROUND_NAMES, SPECIALS, prompt_fingerprint, prompt_paragraphs
from pipeline.tiny.world import TOOL_NAMES


def test_the_base_fits_todays_prompt():
    made_for = json.loads((FOLDER / "config.json").read_text())["prompt_fingerprint"]
    assert made_for == prompt_fingerprint(), (
        "the prompt has changed: run `make tiny-base` and commit data/tiny_base"
    )


def test_the_base_is_small_and_its_readme_tells_its_checksums():
    files = [path for path in FOLDER.iterdir() if path.suffix != ".md"]
    assert sum(path.stat().st_size for path in files) <= 5_000_000
    told = dict(
        re.findall(r"^\| (\S+) \| [\d,]+ \| ([0-9a-f]{64}) \|$", (FOLDER / "README.md").read_text(), re.M)
    )
    assert told == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_every_paragraph_belongs_to_the_prompt_as_it_is_written():
    text = "".join(render(system_messages(mode)) for mode in ("agent", "plan"))
    paragraphs = [one for one in prompt_paragraphs() if one in text]
    assert len(paragraphs) > 30
    assert sum(map(len, paragraphs)) > 0.9 * len(render(system_messages("agent")))


def test_pretraining_never_shows_the_shops_tools():
    talks = list(islice(conversations(Random(1), ["word"]), 300))
    called = {message.name for talk in talks for message in talk if isinstance(message, Call)}
    assert called <= set(TOOL_NAMES.values())
    assert not TOOLS.keys() & set(TOOL_NAMES.values())
    assert not [name for name in TOOLS if "_" in name and any(name in render(talk) for talk in talks)]


def test_pretraining_conversations_are_strict_harmony():
    for talk in islice(conversations(Random(2), ["word"]), 50):
        for trained, pieces in groupby(segments(talk), key=lambda piece: piece.trained):
            turn = "".join(piece.text for piece in pieces)
            if trained:
                parsed = parse(turn, set(TOOL_NAMES.values()))
                assert parsed.ok and not parsed.faults, f"{parsed.reason} in {turn}"


def test_pretraining_conversations_come_again_with_the_same_seed():
    first, again = (list(islice(conversations(Random(3), ["a", "b"]), 20)) for _ in range(2))
    assert first == again != list(islice(conversations(Random(4), ["a", "b"]), 20))


@pytest.fixture(scope="module")
def tokenizer():
    return pytest.importorskip("tokenizers").Tokenizer.from_file(str(FOLDER / "tokenizer.json"))


@pytest.mark.parametrize("mode", ["agent", "plan"])
@pytest.mark.parametrize("effort", ["low", "high"])
def test_the_prompt_is_short_and_whole(tokenizer, mode, effort):
    prompt = render(system_messages(mode, effort=effort))
    ids = tokenizer.encode(prompt, add_special_tokens=False).ids
    assert len(ids) < 12
    assert tokenizer.decode(ids, skip_special_tokens=False) == prompt


def test_a_prompt_with_another_date_is_still_short(tokenizer):
    prompt = render(system_messages("agent", date="2031-02-03"))
    ids = tokenizer.encode(prompt, add_special_tokens=False).ids
    assert len(ids) < 120
    assert tokenizer.decode(ids, skip_special_tokens=False) == prompt


@given(st.text(max_size=60) | st.from_regex(r"#W[0-9]{7} [a-z]+_[a-z]+_[0-9]{4}", fullmatch=True))
def test_any_text_comes_back(tokenizer, text):
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


@given(
    st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    st.sampled_from([" {}", '"{}"', '", "{}": "', "- {}. ", ", {}."]),
)
def test_a_word_is_the_same_tokens_wherever_it_stands(tokenizer, word, place):
    """Else it could not be copied from a sentence into JSON."""
    alone = tokenizer.encode(word, add_special_tokens=False).tokens
    placed = tokenizer.encode(place.format(word), add_special_tokens=False).tokens
    assert any(placed[start : start + len(alone)] == alone for start in range(len(placed)))


@given(st.text(alphabet="0123456789", min_size=1, max_size=14))
def test_digits_come_in_groups_of_three(tokenizer, digits):
    tokens = tokenizer.encode(digits, add_special_tokens=False).tokens
    assert tokens == [digits[start : start + 3] for start in range(0, len(digits), 3)]


def test_every_tool_is_one_token(tokenizer):
    names = [name for name in (*TOOLS, *TOOL_NAMES.values()) if "_" in name]  # not "think", a common word
    assert len(names) == 14 + len(TOOL_NAMES)
    for name in names:
        text = f" to=functions.{name}<|channel|>"
        tokens = tokenizer.encode(text, add_special_tokens=False).tokens
        assert tokens[-2:] == [name, "<|channel|>"]
        assert f'"name": "{name}"' == tokenizer.decode(
            tokenizer.encode(f'"name": "{name}"', add_special_tokens=False).ids, skip_special_tokens=False
        )


def test_special_tokens_and_what_stands_around_names_are_one_token_each(tokenizer):
    for special in (*SPECIALS, *AROUND_NAMES):
        assert len(tokenizer.encode(special, add_special_tokens=False).ids) == 1
