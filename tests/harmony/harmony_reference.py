"""The reference implementation (oss-harmony, with the real vocabulary), for tests to hold ours against."""

import json

import pytest

from pipeline.harmony import Analysis, Call, Final, Message, Preamble, ToolResult, User, unescape
from pipeline.harmony_pieces import SPECIAL, Vocabulary

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
