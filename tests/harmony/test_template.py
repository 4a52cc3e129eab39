"""The Jinja chat template writes the same text as the Python renderer."""

import importlib.util
import json
import random
from pathlib import Path

import pytest
from harmony_samples import conversation
from test_render import EPISODE

from envs.library import DOMAIN, LIBRARY, library_tasks
from envs.retail.tools import schemas
from pipeline.datasets import system_messages
from pipeline.demonstrations import demonstrate
from pipeline.harmony import DATE, Developer, Final, System, User, render
from pipeline.harmony_chat import chat_template, to_chat

jinja2 = pytest.importorskip("jinja2")
from jinja2.ext import Extension  # noqa: E402
from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: E402


class GenerationTag(Extension):
    """`{% generation %}` as transformers knows it, without its bookkeeping."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def refuse(message):
    raise jinja2.TemplateError(message)


def compiled(template):
    """A template in an environment set up as transformers does."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, "jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: DATE
    return environment.from_string(template)


TEMPLATE = compiled(chat_template())


def test_the_episode_of_every_kind_of_message_is_the_same():
    assert compiled(chat_template("2024-05-15")).render(**to_chat(EPISODE)) == render(EPISODE)


def test_another_domains_tools_are_shown_the_same():
    messages = [*system_messages("agent", domain=DOMAIN), *demonstrate(LIBRARY, library_tasks()[0]).messages]
    assert TEMPLATE.render(**to_chat(messages)) == render(messages)


@pytest.mark.parametrize("seed", range(120))
def test_random_conversations_are_the_same(seed):
    rng = random.Random(seed)
    system, *rest = conversation(rng, chat=True)
    messages = [System(system.effort, DATE), *rest]
    options = {
        "call_form": rng.choice(["role", "channel"]),
        "past_finals": rng.choice(["<|return|>", "<|end|>"]),
    }
    prompt = rng.random() < 0.5
    chat = TEMPLATE.render(**to_chat(messages), **options, add_generation_prompt=prompt)
    assert chat == render(messages, **options, generation_prompt=prompt)


@pytest.mark.parametrize("seed", range(20))
def test_appending_keeps_everything_before(seed):
    chat = to_chat([System(), *conversation(random.Random(seed), chat=True)[1:]])
    whole = TEMPLATE.render(**chat)
    for length in range(1, len(chat["messages"])):
        part = TEMPLATE.render(**{**chat, "messages": chat["messages"][:length]})
        assert whole.startswith(part)


def messages_text(*messages, **options):
    return TEMPLATE.render(messages=list(messages), **options).split("<|end|>", 1)[1]


CALL = {"type": "function", "function": {"name": "find", "arguments": {"a": 1}}}
SAID = "<|start|>assistant to=functions.find<|channel|>commentary json<|message|>"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": None, "thinking": None, "tool_calls": [CALL]}, SAID + '{"a": 1}<|call|>'),
        ({"content": "", "tool_calls": [CALL]}, SAID + '{"a": 1}<|call|>'),
        ({"tool_calls": [CALL["function"]]}, SAID + '{"a": 1}<|call|>'),
        ({"tool_calls": [{"function": {"name": "find", "arguments": '{"a":1}'}}]}, SAID + '{"a":1}<|call|>'),
        ({"tool_calls": [{"function": {"name": "find", "arguments": None}}]}, SAID + "{}<|call|>"),
        ({"tool_calls": [{"function": {"name": "find"}}]}, SAID + "{}<|call|>"),
        ({"tool_calls": [CALL, CALL]}, (SAID + '{"a": 1}<|call|>') * 2),
        (
            {"content": "Wait.", "thinking": "Hm.", "tool_calls": [CALL]},
            "<|start|>assistant<|channel|>analysis<|message|>Hm.<|end|>"
            "<|start|>assistant<|channel|>commentary<|message|>Wait.<|end|>" + SAID + '{"a": 1}<|call|>',
        ),
        (
            {"content": "Hi.", "reasoning_content": "Hm.", "tool_calls": None},
            "<|start|>assistant<|channel|>analysis<|message|>Hm.<|end|>"
            "<|start|>assistant<|channel|>final<|message|>Hi.<|return|>",
        ),
        ({"content": "Hi."}, "<|start|>assistant<|channel|>final<|message|>Hi.<|return|>"),
        (
            {"content": [{"type": "text", "text": "Hi."}]},
            "<|start|>assistant<|channel|>final<|message|>Hi.<|return|>",
        ),
        ({"content": None}, "<|start|>assistant<|channel|>final<|message|><|return|>"),
        ({"content": "", "thinking": "Hm."}, "<|start|>assistant<|channel|>analysis<|message|>Hm.<|end|>"),
    ],
)
def test_dictionaries_as_datasets_and_trl_make_them(message, text):
    assert messages_text({"role": "assistant", **message}) == text


def test_tool_answers_are_raw_and_named_after_the_call_where_they_have_no_name():
    answer = {"role": "tool", "content": '{"a": "<|end|>"}'}
    text = messages_text({"role": "assistant", "tool_calls": [CALL]}, answer)
    header = "<|start|>functions.find to=assistant<|channel|>commentary<|message|>"
    assert text.endswith(header + '{"a": "<¦|end|>"}<|end|>')
    assert messages_text(answer | {"name": "other"}).startswith("<|start|>functions.other to=assistant")
    assert messages_text(answer | {"name": "find", "content": {"a": 1}}).endswith('{"a": 1}<|end|>')


def test_leading_system_and_developer_messages_are_the_policy():
    text = messages_text({"role": "system", "content": "One."}, {"role": "developer", "content": "Two."})
    assert text == "<|start|>developer<|message|># Instructions\n\nOne.\n\nTwo.<|end|>"


@pytest.mark.parametrize(
    ("messages", "options"),
    [
        ([{"role": "tool", "content": "x"}], {}),
        ([{"role": "user", "content": "x"}, {"role": "system", "content": "late"}], {}),
        ([{"role": "customer", "content": "x"}], {}),
        ([{"role": "user", "content": "x"}], {"reasoning_effort": "maximal"}),
    ],
)
def test_what_would_be_lost_is_refused(messages, options):
    with pytest.raises(jinja2.TemplateError):
        TEMPLATE.render(messages=messages, **options)


def test_the_date_is_written_into_the_template_and_cannot_break_it():
    assert "Current date: 2031-01-02\n" in compiled(chat_template("2031-01-02")).render(messages=[])
    with pytest.raises(ValueError):
        chat_template("{{ 1 }}")
    assert TEMPLATE.render(**to_chat([System(), Final("x")])) == render([System(), Final("x")])


def test_the_shops_prompt_is_gpt_oss_own_templates_to_the_letter():
    trl = importlib.util.find_spec("trl")
    official = trl and Path(trl.origin).parent / "chat_templates" / "gptoss.jinja"
    if not official or not official.exists():
        pytest.skip("needs trl, which carries gpt-oss's own template")
    prompt = [System("low"), Developer("Be kind.", tuple(schemas())), User("Where is #W1234567?")]
    theirs = compiled(official.read_text(encoding="utf-8")).render(
        **to_chat(prompt), add_generation_prompt=True
    )
    assert render(prompt, generation_prompt=True) == theirs
