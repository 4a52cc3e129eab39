"""The strict reader: what it takes, what it refuses and why, and that nothing can upset it."""

import random

import pytest
from harmony_samples import HOSTILE, NAMES, after, conversation, mutate, turn
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.harmony import Analysis, Call, Final, Preamble, ToolResult, User, escape, render
from pipeline.harmony_parse import Parsed, Vocabulary, check_call, parse, parse_transcript
from pipeline.strict import MAX_DEPTH, Verdict

TOOLS = {"find", "cancel"}
ROLE = " to=functions.find<|channel|>commentary json<|message|>"
NATIVE = "<|channel|>commentary to=functions.find <|constrain|>json<|message|>"
THOUGHTS = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"
FOUND = Call("find", {"a": 1})


def completion(messages, **options):
    """What the model generated for the messages of its turn."""
    return render(messages, **options).removeprefix("<|start|>assistant")


@pytest.mark.parametrize(
    "header",
    [
        ROLE,
        NATIVE,
        " to=functions.find<|channel|>commentary <|constrain|>json<|message|>",
        " to=functions.find<|channel|>commentary<|constrain|>json<|message|>",
        " to=functions.find<|channel|>commentary<|message|>",
        "<|channel|>commentary to=functions.find json<|message|>",
        "<|channel|>commentary to=functions.find<|constrain|>json<|message|>",
        "<|channel|>commentary to=functions.find<|message|>",
    ],
)
def test_both_places_of_the_name_are_the_same_call(header):
    parsed = parse(THOUGHTS + header + '{"a": 1}<|call|>', TOOLS)
    assert parsed == Parsed((Analysis("Hm."), FOUND), Verdict.OK)
    assert parsed.call == FOUND and parsed.final is None and parsed.well_formed


@pytest.mark.parametrize(
    "header",
    [
        "<|channel|>analysis to=functions.find <|constrain|>json<|message|>",
        " to=functions.find<|channel|>analysis json<|message|>",
    ],
)
def test_a_call_on_the_analysis_channel_can_be_executed_but_is_a_fault(header):
    parsed = parse(header + '{"a": 1}<|call|>', TOOLS)
    assert parsed.ok and parsed.call == FOUND
    assert parsed.faults == ("call on the analysis channel",) and not parsed.well_formed


def test_a_final_message_is_for_the_customer():
    parsed = parse("<|channel|>final<|message|> Done.\n<|return|><|endoftext|><|endoftext|>", TOOLS)
    assert parsed.final == " Done.\n" and parsed.call is None and parsed.well_formed


def test_line_breaks_between_messages_are_read_in_text_written_by_hand():
    text = "<|channel|>analysis<|message|>Hm.<|end|>\n<|start|>assistant" + ROLE + '{"a": 1}<|call|>'
    assert parse(text, TOOLS).call == FOUND


JSON_CALL = [
    ('{"a": 1', Verdict.BAD_JSON),
    ("{'a': 1}", Verdict.BAD_JSON),
    ('{"a": NaN}', Verdict.BAD_JSON),
    ('{"a": -Infinity}', Verdict.BAD_JSON),
    ('{"a": 1e999}', Verdict.BAD_JSON),
    ('{"a": ' + "9" * 5000 + "}", Verdict.BAD_JSON),
    (r'{"a": "\ud800"}', Verdict.BAD_JSON),
    ('{"a": "\n"}', Verdict.BAD_JSON),
    ('{"a": 1,}', Verdict.BAD_JSON),
    ('```json\n{"a": 1}\n```', Verdict.BAD_JSON),
    ("", Verdict.BAD_JSON),
    ('{"a": ' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}", Verdict.BAD_JSON),
    ('{"a": 1, "a": 1}', Verdict.DUPLICATE_KEY),
    ('{"a": {"b": 1, "b": 2}}', Verdict.DUPLICATE_KEY),
    ("[]", Verdict.NOT_OBJECT),
    ('"{}"', Verdict.NOT_OBJECT),
    ("null", Verdict.NOT_OBJECT),
    ('{"a": 1} {"b": 2}', Verdict.TRAILING),
    ('{"a": 1}.', Verdict.TRAILING),
]
REFUSED = [
    *((ROLE + body + "<|call|>", verdict) for body, verdict in JSON_CALL),
    # cut off
    ("", Verdict.TRUNCATED),
    ("<|channel|>", Verdict.TRUNCATED),
    ("<|channel|>final", Verdict.TRUNCATED),
    (" to=functions.find", Verdict.TRUNCATED),
    ("<|channel|>final<|message|>", Verdict.TRUNCATED),
    ("<|channel|>final<|message|>Done.", Verdict.TRUNCATED),
    ("<|channel|>final<|message|>Done.<|endoftext|>", Verdict.TRUNCATED),
    (ROLE + '{"a": 1}', Verdict.TRUNCATED),
    (THOUGHTS.removesuffix("<|start|>assistant"), Verdict.TRUNCATED),
    (THOUGHTS.removesuffix("assistant"), Verdict.TRUNCATED),
    (THOUGHTS, Verdict.TRUNCATED),
    # no header, or not one
    ("I will do it.", Verdict.BAD_HEADER),
    ('{"a": 1}', Verdict.BAD_HEADER),
    ("<|return|>", Verdict.BAD_HEADER),
    ("<|message|>Done.<|return|>", Verdict.BAD_HEADER),
    ("<|start|>assistant<|channel|>final<|message|>Done.<|return|>", Verdict.BAD_HEADER),
    ("<|channel|><|message|>Done.<|return|>", Verdict.BAD_HEADER),
    ("<|channel|>speech<|message|>Done.<|return|>", Verdict.BAD_HEADER),
    ("<|channel|>Final<|message|>Done.<|return|>", Verdict.BAD_HEADER),
    ("<|channel|>final <|message|>Done.<|return|>", Verdict.BAD_HEADER),
    ("<|channel|>final<|channel|>final<|message|>Done.<|return|>", Verdict.BAD_HEADER),
    (NATIVE.replace("commentary", "comment") + "{}<|call|>", Verdict.BAD_HEADER),
    (NATIVE.replace("json", " json") + "{}<|call|>", Verdict.BAD_HEADER),
    (NATIVE.replace("json", "code") + "{}<|call|>", Verdict.BAD_HEADER),
    (ROLE.replace(" json", "  json") + "{}<|call|>", Verdict.BAD_HEADER),
    (ROLE.replace("find", "find it") + "{}<|call|>", Verdict.BAD_HEADER),
    ("\n" + ROLE + "{}<|call|>", Verdict.BAD_HEADER),
    (THOUGHTS + "\n" + ROLE + "{}<|call|>", Verdict.BAD_HEADER),
    (THOUGHTS.replace("<|end|>", "<|end|>and") + ROLE + "{}<|call|>", Verdict.BAD_HEADER),
    (THOUGHTS.replace("<|start|>assistant", "") + NATIVE + "{}<|call|>", Verdict.BAD_HEADER),
    (" to=functions.find<|channel|>" + "commentary" * 50 + "<|message|>{}<|call|>", Verdict.BAD_HEADER),
    # nobody, somebody else or two to call
    (ROLE.replace("functions.", "") + "{}<|call|>", Verdict.WRONG_RECIPIENT),
    (ROLE.replace("functions.find", "browser.search") + "{}<|call|>", Verdict.WRONG_RECIPIENT),
    (ROLE.replace("find", "f" * 65) + "{}<|call|>", Verdict.WRONG_RECIPIENT),
    (ROLE.replace("find", "a.b") + "{}<|call|>", Verdict.WRONG_RECIPIENT),
    (" to=functions.find" + NATIVE + "{}<|call|>", Verdict.WRONG_RECIPIENT),
    ("<|channel|>commentary json<|message|>{}<|call|>", Verdict.WRONG_RECIPIENT),
    ("<|channel|>final <|constrain|>json<|message|>{}<|return|>", Verdict.WRONG_RECIPIENT),
    (" to=functions.find<|channel|>final json<|message|>{}<|call|>", Verdict.WRONG_RECIPIENT),
    (ROLE.replace("find", "fly") + "{}<|call|>", Verdict.UNKNOWN_TOOL),
    # the wrong end
    (ROLE + "{}<|end|>", Verdict.WRONG_END),
    (ROLE + "{}<|return|>", Verdict.WRONG_END),
    ("<|channel|>final<|message|>Done.<|end|>", Verdict.WRONG_END),
    ("<|channel|>final<|message|>Done.<|call|>", Verdict.WRONG_END),
    ("<|channel|>analysis<|message|>Hm.<|call|>", Verdict.WRONG_END),
    ("<|channel|>analysis<|message|>Hm.<|return|>", Verdict.NO_CALL),
    ("<|channel|>commentary<|message|>One moment.<|return|>", Verdict.NO_CALL),
    ("<|channel|>commentary<|message|>One moment.<|end|><|endoftext|>", Verdict.NO_CALL),
    # somebody else's message, a message in a message, something after the end
    (THOUGHTS.replace("assistant", "user<|message|>Yes.<|end|>"), Verdict.WRONG_ROLE),
    (THOUGHTS.replace("assistant", "functions.find to=assistant") + NATIVE, Verdict.WRONG_ROLE),
    (THOUGHTS.replace("assistant", "system<|message|>"), Verdict.WRONG_ROLE),
    ("<|channel|>final<|message|>a<|start|>assistant<|return|>", Verdict.NESTED_SPECIAL),
    ("<|channel|>final<|message|>a<|channel|>b<|return|>", Verdict.NESTED_SPECIAL),
    ("<|channel|>final<|message|>a<|reserved_200013|>b<|return|>", Verdict.NESTED_SPECIAL),
    (ROLE + '{"a": "<|constrain|>"}<|call|>', Verdict.NESTED_SPECIAL),
    ("<|channel|>final<|message|>Done.<|return|> ", Verdict.TRAILING),
    ("<|channel|>final<|message|>Done.<|return|><|start|>assistant", Verdict.TRAILING),
    (ROLE + "{}<|call|>" + NATIVE + "{}<|call|>", Verdict.TRAILING),
    (ROLE.replace("find", "fly") + "{}<|call|>" + NATIVE + "{}<|call|>", Verdict.TRAILING),
    (ROLE + "{}<|call|><|start|>assistant" + ROLE + "{}<|call|>", Verdict.TRAILING),
]


@pytest.mark.parametrize(("text", "verdict"), REFUSED)
def test_everything_else_is_refused_with_its_reason(text, verdict):
    parsed = parse(text, TOOLS)
    assert (parsed.verdict, parsed.call, parsed.final) == (verdict, None, None)
    assert parsed.reason and len(parsed.reason) < 400


def test_a_refused_tool_is_still_to_be_seen():
    parsed = parse(ROLE.replace("find", "fly") + '{"to": "Mars"}<|call|>', TOOLS)
    assert (
        parsed.messages == (Call("fly", {"to": "Mars"}),) and parsed.call is None and "'fly'" in parsed.reason
    )


def test_arguments_can_be_checked_against_the_schema():
    tools = {
        "find": {"name": "find", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}
    }
    parsed = check_call(parse(ROLE + '{"a": 1}<|call|>', tools), tools)
    assert parsed.verdict is Verdict.BAD_ARGUMENTS and parsed.call is None and '"a"' in parsed.reason
    fits = parse(ROLE + '{"a": "1"}<|call|>', tools)
    assert check_call(fits, tools) is fits
    refused = parse(ROLE + "[]<|call|>", tools)
    assert check_call(refused, tools) is refused


@pytest.mark.parametrize("seed", range(100))
def test_what_is_rendered_reads_back_the_same(seed):
    rng = random.Random(seed)
    messages = turn(rng)
    parsed = parse(completion(messages, call_form=rng.choice(["role", "channel"])), NAMES)
    assert parsed == Parsed(tuple(messages), Verdict.OK)


@pytest.mark.parametrize("seed", range(60))
def test_an_episode_reads_back_turn_by_turn(seed):
    messages = after(conversation(random.Random(seed)), User)
    messages = messages or [Final("Hi.")]
    turns = parse_transcript(completion(messages), NAMES)
    read = [message for part in turns for message in (*part.told, *part.messages)]
    ends_told = isinstance(messages[-1], ToolResult)
    assert read == (messages[:-1] if ends_told else messages)
    assert all(part.ok for part in turns)


def test_an_episode_stops_being_read_at_its_first_fault():
    good = completion([FOUND, ToolResult("find", "x")])
    for bad, verdict in [
        ("<|start|>assistant" + ROLE + "[]<|call|>", Verdict.NOT_OBJECT),
        ("<|start|>system<|message|>x<|end|>", Verdict.WRONG_ROLE),
        ("<|start|>functions.find<|message|>x<|end|>", Verdict.WRONG_ROLE),
        ("<|start|>user<|message|>x<|return|>", Verdict.WRONG_ROLE),
        ("<|start|>user<|message|>x", Verdict.TRUNCATED),
        ("nonsense", Verdict.TRAILING),
    ]:
        first, last = parse_transcript(good + bad, TOOLS)
        assert first.call == FOUND
        assert last.verdict is verdict and last.call is None


@pytest.mark.parametrize("hostile", HOSTILE)
def test_words_of_others_never_become_a_turn(hostile):
    words = f"a {hostile} b"
    told = [FOUND, ToolResult("find", words), Preamble(words), FOUND, ToolResult("find", words), Final(words)]
    turns = parse_transcript(completion(told), TOOLS)
    assert [message for part in turns for message in (*part.told, *part.messages)] == told


fuzz = st.text() | st.lists(
    st.sampled_from([*HOSTILE, ROLE, NATIVE, THOUGHTS, '{"a": 1}', "assistant", "\ud800"]), max_size=9
).map("".join)


@given(fuzz)
@example("<|channel|>final<|message|>\ud800<|return|>")
def test_any_text_gets_one_verdict(text):
    parsed = parse(text, TOOLS)
    assert parsed == parse(text, TOOLS)
    assert parsed.ok == (parsed.reason == "")
    assert parsed.ok == (parsed.call is not None or parsed.final is not None)
    transcript = parse_transcript(text, TOOLS)
    assert transcript[0].messages == parsed.messages


@pytest.mark.parametrize("seed", range(100))
def test_a_damaged_completion_is_refused_or_means_what_it_says(seed):
    rng = random.Random(seed)
    text = mutate(rng, completion(turn(rng)))
    parsed = parse(text, NAMES)
    if parsed.well_formed:  # then writing it again gives the same words in one of the allowed spellings
        again = completion(list(parsed.messages))
        assert parse(again, NAMES).messages == parsed.messages


@pytest.mark.parametrize(
    "text",
    [
        "<|" * 5_000_000,
        "a" * 10_000_000,
        ROLE + "[" * 10_000_000 + "<|call|>",
        ROLE + '{"a":' * 190_000 + "<|call|>",
        ROLE + '"' + '\\"' * 490_000 + "<|call|>",
        ROLE + "{" + ",".join(f'"{n}":1' for n in range(80_000)) + "}<|call|>",
        "<|channel|>final<|message|>" + "<¦" * 5_000_000 + "<|return|>",
        THOUGHTS * 20_000,
        "<|channel|>final<|message|>a<|return|>" + "<|endoftext|>" * 100_000,
        (NATIVE + "{}<|call|><|start|>functions.find to=assistant<|channel|>commentary<|message|>x<|end|>"
         "<|start|>assistant") * 4_000,
    ],
    ids=lambda text: f"{text[:12]}…{len(text)}",
)  # fmt: skip
def test_huge_completions_are_read_without_trouble(text):
    for read in (parse, parse_transcript):
        read(text, TOOLS)


def test_escaped_words_of_the_model_itself_come_back_plain():
    assert parse("<|channel|>final<|message|>" + escape("<|call|>") + "<|return|>", TOOLS).final == "<|call|>"


SPECIAL_IDS = dict(enumerate(("<|start|>", "<|end|>", "<|channel|>", "<|message|>", "<|return|>"), start=-5))
LETTERS = Vocabulary(SPECIAL_IDS, lambda ids: "".join(map(chr, ids)))  # every letter is an ordinary token


def typed(text):
    return [ord(letter) for letter in text]


@pytest.mark.parametrize("padding", ["<|endoftext|>", "<|reserved_200017|>"])
def test_padding_typed_out_in_ordinary_tokens_ends_nothing(padding):
    """Else a turn that holds nonsense would pass for one that was cut off."""
    thoughts = [-3, *typed("analysis"), -2, *typed("Hm."), -4]
    for ids in (
        typed(padding),
        [*thoughts, *typed(padding)],
        [*thoughts, -5, *typed(f"assistant{padding}"), -2],
    ):
        parsed = parse(ids, TOOLS, LETTERS)
        assert parsed.verdict is Verdict.BAD_HEADER and padding in parsed.reason
