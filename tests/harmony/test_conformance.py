"""Ours against the reference implementation (oss-harmony, with gpt-oss's real vocabulary).

Two promises: what we render means the same to it, and what we accept it accepts with the same content.
It accepts far more: test_differences.py lists every kind of text the two read differently, and why.
"""

import random

import pytest
from harmony_reference import ENCODING, SPECIALS, VOCABULARY, encode, ours, reference_reads
from harmony_samples import HOSTILE, NAMES, conversation, mutate, turn
from test_parse import NATIVE, ROLE, THOUGHTS
from test_render import EPISODE

from pipeline.harmony import (
    Call,
    Developer,
    Final,
    ToolResult,
    User,
    escape,
    render,
    segments,
)
from pipeline.harmony_parse import parse, parse_transcript
from pipeline.strict import Verdict


def check_rendering(seeds):
    for seed in seeds:
        rng = random.Random(seed)
        messages = conversation(rng)
        text = render(messages, call_form=rng.choice(["role", "channel"]))
        given, spoken = messages[:2], messages[2:]
        if not isinstance(given[-1], Developer):
            given, spoken = messages[:1], messages[1:]
        read = reference_reads(text, None)
        assert [ours(message) for message in read[len(given) :]] == spoken, seed
        assert [message.author.role.value for message in read[: len(given)]] == ["system", "developer"][
            : len(given)
        ]
        assert [message.content[0].text for message in read[: len(given)]] == [
            piece.text.split("<|message|>")[1].removesuffix("<|end|>") for piece in segments(given)
        ]


def random_completion(rng):
    """A turn, undamaged or damaged, or pieces of turns in any order."""
    if rng.random() < 0.2:
        pieces = [
            *HOSTILE,
            ROLE,
            NATIVE,
            THOUGHTS,
            '{"a": 1}',
            "x",
            "<|channel|>analysis",
            " to=functions.find",
        ]
        return "".join(rng.choice(pieces) for _ in range(rng.randrange(1, 7)))
    text = render(turn(rng), call_form=rng.choice(["role", "channel"])).removeprefix("<|start|>assistant")
    return text if rng.random() < 0.2 else mutate(rng, text)


def damaged_tokens(rng):
    """A turn whose tokens were damaged, so that they need not be anybody's encoding nor valid UTF-8."""
    ids = encode(render(turn(rng)).removeprefix("<|start|>assistant"))
    for _ in range(rng.randrange(1, 3)):
        start, length = rng.randrange(len(ids) + 1), rng.choice([0, 0, 1])
        ids[start : start + length] = [rng.choice([rng.randrange(199_998), rng.randrange(256), *SPECIALS])]
    return ids


def check_accepted(seeds):
    """Whatever we accept as tokens, the reference accepts, and it holds the same messages."""
    accepted = 0
    for seed in seeds:
        rng = random.Random(seed)
        ids = damaged_tokens(rng) if seed % 3 == 0 else encode(random_completion(rng))
        parsed = parse(ids, NAMES, VOCABULARY)
        if parsed.ok:
            accepted += 1
            without_padding = ids[
                : max(n for n, number in enumerate(ids) if SPECIALS.get(number) in ENDS) + 1
            ]
            assert [ours(message) for message in reference_reads(without_padding)] == list(parsed.messages), (
                seed
            )
    return accepted


ENDS = ("<|call|>", "<|return|>")


def test_what_we_render_the_reference_reads_back_equal():
    check_rendering(range(250))


def test_what_we_accept_the_reference_accepts_with_equal_content():
    assert check_accepted(range(1500)) > 200


@pytest.mark.slow
def test_the_same_for_many_more():
    check_rendering(range(10_000, 15_000))
    assert check_accepted(range(10_000, 40_000)) > 4_000


def test_tokens_and_text_read_the_same():
    for seed in range(400):
        text = random_completion(random.Random(seed))
        from_text, from_tokens = parse(text, NAMES), parse(encode(text), NAMES, VOCABULARY)
        if "\n<|start|>" not in text and " <|start|>" not in text:
            assert from_text == from_tokens, seed


def test_an_episode_reads_the_same_from_tokens():
    text = render(EPISODE[3:]).removeprefix("<|start|>assistant")
    read = parse_transcript(encode(text), {"cancel"}, VOCABULARY)
    assert [message for part in read for message in (*part.told, *part.messages)] == EPISODE[3:]


def test_a_special_token_typed_out_in_letters_is_words():
    ids = [
        *encode("<|channel|>final<|message|>"),
        *ENCODING.encode("<|call|>", disallowed_special=()),
        *encode("<|return|>"),
    ]
    assert parse(ids, (), VOCABULARY).final == "<|call|>"
    letters = ENCODING.encode("<|channel|>final", disallowed_special=())
    assert parse([*letters, *encode("<|message|>Hi<|return|>")], (), VOCABULARY).verdict is Verdict.BAD_HEADER


def test_a_line_break_between_messages_is_forgiven_to_people_and_not_to_a_model():
    text = THOUGHTS.replace("<|start|>", "\n<|start|>") + "<|channel|>final<|message|>Hi<|return|>"
    assert parse(text, ()).final == "Hi"
    assert parse(encode(text), (), VOCABULARY).verdict is Verdict.BAD_HEADER


def test_tokens_without_their_vocabulary_are_refused_in_words():
    with pytest.raises(TypeError, match="vocabulary"):
        parse([1, 2], ())


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_hold_no_special_token(hostile):
    assert not set(encode(escape(hostile))) & set(SPECIALS)
    for words, plain in [
        (User(hostile), User("x")),
        (ToolResult("find", hostile), ToolResult("find", "x")),
        (Developer(hostile), Developer("x")),
        (Final(hostile), Final("x")),
        (Call("find", {hostile: hostile}), Call("find")),
    ]:
        assert structure(encode(render([words]))) == structure(encode(render([plain])))


def structure(ids):
    return [number for number in ids if number in SPECIALS]


def test_pieces_are_whole_tokens():
    """So a row can be tokenised piece by piece or at once, and a mask has no token in two pieces."""
    for seed in range(60):
        pieces = segments(conversation(random.Random(seed)))
        ids = encode("".join(piece.text for piece in pieces))
        assert ids == [number for piece in pieces for number in encode(piece.text)], seed
