"""Where ours and the reference differ by design: what only one of them reads, what it renders otherwise."""

import json

import pytest
from harmony_reference import ENCODING, reference, reference_reads
from test_parse import JSON_CALL, NATIVE, ROLE, THOUGHTS
from test_render import EPISODE, TOOL

from pipeline.harmony import Analysis, Call, Developer, Final, Preamble, System, ToolResult, User, render
from pipeline.harmony_parse import parse
from pipeline.strict import Verdict

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
