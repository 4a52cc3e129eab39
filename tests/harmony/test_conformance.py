"""Ours against the reference implementation (oss-harmony, with gpt-oss's real vocabulary).

Two promises: what we render means the same to it, and what we accept it accepts with the same content.
It accepts far more; `DIFFERENCES` lists every kind of text the two read differently, and why.
"""

import json
import random

import pytest
from harmony_samples import HOSTILE, NAMES, conversation, mutate, turn
from test_parse import JSON_CALL, NATIVE, ROLE, THOUGHTS
from test_render import EPISODE, TOOL

from pipeline.harmony import (
    Analysis,
    Call,
    Developer,
    Final,
    Message,
    Preamble,
    System,
    ToolResult,
    User,
    escape,
    render,
    segments,
    unescape,
)
from pipeline.harmony_parse import SPECIAL, Vocabulary, parse, parse_transcript
from pipeline.strict import Verdict

reference = pytest.importorskip("openai_harmony", reason="needs oss-harmony (requirements-dev.txt)")
ENCODING = reference.load_harmony_encoding("HarmonyGptOss")
SPECIALS = {
    ENCODING.encode(name, allowed_special="all")[0]: name
    for name in ENCODING.special_tokens_set
    if SPECIAL.fullmatch(name)
}
VOCABULARY = Vocabulary(SPECIALS, ENCODING.decode)


def encode(text):
    """Token ids with special tokens read as such."""
    return ENCODING.encode(text, allowed_special="all")


def reference_reads(text_or_ids, role=reference.Role.ASSISTANT):
    """The reference's messages, or its error."""
    ids = encode(text_or_ids) if isinstance(text_or_ids, str) else text_or_ids
    try:
        return ENCODING.parse_messages_from_completion_tokens(ids, role)
    except reference.HarmonyError as error:
        return f"error: {error}"


def ours(message) -> Message:
    """A message of the reference as one of ours."""
    text = unescape(message.content[0].text)
    role, name = message.author.role.value, message.author.name
    if role == "tool":
        assert (message.channel, message.recipient) == ("commentary", "assistant")
        return ToolResult(name.removeprefix("functions."), text)
    if role == "user":
        return User(text)
    assert role == "assistant"
    if message.recipient:
        return Call(message.recipient.removeprefix("functions."), json.loads(text))
    return {"analysis": Analysis, "commentary": Preamble, "final": Final}[message.channel](text)


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


# --- differences by design -------------------------------------------------------------------------------

CALL = '{"a": 1}<|call|>'


def said(words, end="<|return|>"):
    return f"<|channel|>final<|message|>{words}{end}"


def after_thoughts(rest):
    return THOUGHTS.removesuffix("assistant") + rest


# What the reference reads and we refuse, and why.
ONLY_THEIRS = {
    "a message cut off by the end of the text": (said("Hi", ""), Verdict.TRUNCATED),
    "a call ended by <|end|>": (ROLE + '{"a": 1}<|end|>', Verdict.WRONG_END),
    "a call ended by <|return|>": (ROLE + '{"a": 1}<|return|>', Verdict.WRONG_END),
    "a final message ended by <|end|>": (said("Hi", "<|end|>"), Verdict.WRONG_END),
    "a final message ended by <|call|>": (said("Hi", "<|call|>"), Verdict.WRONG_END),
    "thoughts and then the end": ("<|channel|>analysis<|message|>Hm<|return|>", Verdict.NO_CALL),
    "an unknown channel": ("<|channel|>speech<|message|>Hi<|return|>", Verdict.BAD_HEADER),
    "no channel": ("<|message|>Hi<|return|>", Verdict.BAD_HEADER),
    "a name without functions.": (ROLE.replace("functions.", "") + CALL, Verdict.WRONG_RECIPIENT),
    "a name without to=": (ROLE.replace("to=", "") + CALL, Verdict.BAD_HEADER),
    "a call on the final channel": (ROLE.replace("commentary", "final") + CALL, Verdict.WRONG_RECIPIENT),
    "json for nobody": ("<|channel|>commentary json<|message|>" + CALL, Verdict.WRONG_RECIPIENT),
    "a body that is not JSON": (ROLE + "cancel it<|call|>", Verdict.BAD_JSON),
    "another content type": (ROLE.replace("json", "code") + CALL, Verdict.BAD_HEADER),
    "two spaces in a header": (ROLE.replace(" json", "  json") + CALL, Verdict.BAD_HEADER),
    "a space before the channel": (ROLE.replace("<|ch", " <|ch") + CALL, Verdict.BAD_HEADER),
    "an undeclared tool": (ROLE.replace("find", "fly") + CALL, Verdict.UNKNOWN_TOOL),
    "a message of the customer": (after_thoughts("user<|message|>Yes<|end|>"), Verdict.WRONG_ROLE),
    "a message of the developer": (after_thoughts("developer<|message|>x<|end|>"), Verdict.WRONG_ROLE),
    "special tokens in a message": (said("a<|channel|>b"), Verdict.NESTED_SPECIAL),
    "a repeated <|start|>assistant": ("<|start|>assistant" + said("Hi"), Verdict.BAD_HEADER),
    "a second turn": (said("Hi") + "<|start|>assistant" + ROLE + CALL, Verdict.TRAILING),
}
# What we read and the reference refuses, and why.
ONLY_OURS = {
    "padding after the end": said("Hi") + "<|endoftext|>",
    "a line break, in text written by hand": THOUGHTS.replace("<|start|>", "\n<|start|>") + said("Hi"),
}
NEITHER = {
    "plain words": ("I will do it.", Verdict.BAD_HEADER),
    "nothing": ("", Verdict.TRUNCATED),
    "the end in a header": ("<|channel|>final", Verdict.TRUNCATED),
    "two names": (" to=functions.find" + NATIVE + CALL, Verdict.WRONG_RECIPIENT),
    "a name of two words": (ROLE.replace("find", "find it") + CALL, Verdict.BAD_HEADER),
    "an empty channel": ("<|channel|><|message|>Hi<|return|>", Verdict.BAD_HEADER),
    "a space after <|constrain|>": (NATIVE.replace("json", " json") + CALL, Verdict.BAD_HEADER),
    "words after the end": (said("Hi") + "and", Verdict.TRAILING),
    "words between messages": (
        THOUGHTS.replace("<|start|>", "and<|start|>") + said("Hi"),
        Verdict.BAD_HEADER,
    ),
    "a tool's answer": (after_thoughts("functions.find<|message|>1<|end|>"), Verdict.WRONG_ROLE),
}


@pytest.mark.parametrize("what", ONLY_THEIRS)
def test_what_only_the_reference_reads(what):
    text, verdict = ONLY_THEIRS[what]
    assert parse(text, {"find"}).verdict is verdict
    assert isinstance(reference_reads(text), list)


@pytest.mark.parametrize("what", ONLY_OURS)
def test_what_only_we_read(what):
    assert parse(ONLY_OURS[what], {"find"}).final == "Hi"
    assert isinstance(reference_reads(ONLY_OURS[what]), str)


@pytest.mark.parametrize("what", NEITHER)
def test_what_neither_reads(what):
    text, verdict = NEITHER[what]
    assert parse(text, {"find"}).verdict is verdict
    assert isinstance(reference_reads(text), str)


def test_bodies_are_not_the_references_business():
    for body, _ in JSON_CALL:
        if "\\ud800" not in body:
            assert reference_reads(ROLE + body + "<|call|>")[0].content[0].text == body


# --- the same conversation rendered by both --------------------------------------------------------------


def reference_renders(messages):
    """The conversation built with the reference's own classes and rendered by it, thoughts kept."""
    built = []
    for message in messages:
        match message:
            case System(effort, date):
                content = reference.SystemContent.new().with_conversation_start_date(date)
                content = content.with_reasoning_effort(reference.ReasoningEffort(effort.capitalize()))
                built.append(reference.Message.from_role_and_content(reference.Role.SYSTEM, content))
            case Developer(instructions, tools):
                content = reference.DeveloperContent.new().with_instructions(instructions)
                declared = [
                    reference.ToolDescription.new(f["name"], f.get("description", ""), f.get("parameters"))
                    for f in (tool.get("function") or tool for tool in tools)
                ]
                content = content.with_function_tools(declared) if declared else content
                built.append(reference.Message.from_role_and_content(reference.Role.DEVELOPER, content))
            case User(text):
                built.append(reference.Message.from_role_and_content(reference.Role.USER, text))
            case ToolResult(name, text):
                author = reference.Author.new(reference.Role.TOOL, f"functions.{name}")
                answer = reference.Message.from_author_and_content(author, text)
                built.append(answer.with_channel("commentary").with_recipient("assistant"))
            case Call(name, values):
                text = json.dumps(values, ensure_ascii=False)
                call = reference.Message.from_role_and_content(reference.Role.ASSISTANT, text)
                call = call.with_channel("commentary").with_recipient(f"functions.{name}")
                built.append(call.with_content_type("<|constrain|>json"))
            case Analysis(text) | Preamble(text) | Final(text):
                channel = {Analysis: "analysis", Preamble: "commentary", Final: "final"}[type(message)]
                said = reference.Message.from_role_and_content(reference.Role.ASSISTANT, text)
                built.append(said.with_channel(channel))
    keep = reference.RenderConversationConfig(auto_drop_analysis=False)
    ids = ENCODING.render_conversation(reference.Conversation.from_messages(built), keep)
    return ENCODING.decode(ids)


def test_the_reference_renders_our_episode_the_same_but_for_these():
    """Its answers name the recipient in the channel, and it ends every final message with <|end|>."""
    mine = render(EPISODE, call_form="channel").replace("<|return|>", "<|end|>")
    mine = mine.replace(
        "functions.cancel to=assistant<|channel|>commentary",
        "functions.cancel<|channel|>commentary to=assistant",
    )
    mine = mine.replace("type list_all = () => any;", "type list_all = (_: {\n}) => any;")
    assert reference_renders(EPISODE) == mine


def test_the_shops_own_tools_are_declared_as_the_reference_does():
    tools = pytest.importorskip("envs.retail.tools").schemas()
    given = [System("low", "2024-05-15"), Developer("Be kind.", tuple(tools))]
    differ = "type list_all_product_types = (_: {\n}) => any;"
    assert render(given) == reference_renders(given).replace(
        differ, "type list_all_product_types = () => any;"
    )


def test_flat_parameters_are_declared_as_the_reference_does():
    given = [System(), Developer("Be kind.", (TOOL,))]
    assert render(given) == reference_renders(given)
