"""What ToolRL's reward reads of an answer in harmony, and what it refuses to read."""

import pytest
from toolrl_answers import FIND, GOLD, REPLY, START, parts

from pipeline.harmony import Analysis, Call, Developer, Final, Preamble, System, ToolResult, User, render
from pipeline.harmony_parse import Vocabulary
from pipeline.toolrl import compute_score, read_gold
from pipeline.toolrl_score import Switches

PROMPT = [
    System(),
    Developer("Help."),
    User("Find it."),
    Analysis("So."),
    FIND,
    ToolResult("find", "{}"),
    User("Again."),
]


@pytest.mark.parametrize("solution", [GOLD, REPLY, render([FIND]), "words", "", GOLD + "<|endoftext|>\n"])
def test_the_conversation_before_the_answer_does_not_count(solution):
    prompt = render(PROMPT, generation_prompt=True)
    assert compute_score(prompt + solution.removeprefix(START), GOLD) == compute_score(solution, GOLD)
    assert compute_score(solution.removeprefix(START), GOLD) == compute_score(solution, GOLD)


@pytest.mark.parametrize(
    ("messages", "form"),
    [
        ([Analysis("a"), Preamble("I look."), FIND], 1),
        ([Analysis("a"), Analysis("b"), FIND], 1),
        ([Preamble("I look."), Analysis("a"), FIND], 0),
        ([Analysis("a"), FIND, Analysis("b")], 0),
        ([Analysis("a"), FIND, Analysis("b"), FIND], 0),
        ([Analysis("a"), FIND, Final("Done.")], 0),
        ([Analysis("a"), FIND, ToolResult("find", "{}")], 0),
    ],
)
def test_the_shape_of_calls(messages, form):
    assert parts(render(messages))[0] == form


def test_an_answer_with_calls_and_words_has_both_in_that_order():
    gold = render([Analysis("a"), FIND, Final("Done.")])
    assert parts(gold, gold) == (1, 3)
    assert parts(GOLD, gold) == (0, 3)
    assert parts(render([Analysis("a"), Final("Done."), FIND]), gold) == (0, 3)
    assert parts(REPLY, gold) == (0, -3)


def test_both_published_places_of_a_name_and_both_ways_to_say_json_count():
    thoughts = "<|channel|>analysis<|message|>t<|end|><|start|>assistant"
    for header in (
        " to=functions.find<|channel|>commentary json",
        " to=functions.find<|channel|>commentary <|constrain|>json",
        " to=functions.find<|channel|>commentary",
        "<|channel|>commentary to=functions.find <|constrain|>json",
        "<|channel|>commentary to=functions.find<|constrain|>json",
        "<|channel|>commentary to=functions.find json",
    ):
        assert parts(f'{thoughts}{header}<|message|>{{"a": "1"}}<|call|>') == (1, 3), header


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("commentary json", "analysis json", (0, 3)),  # can be executed, is not as it should be
        ("<|call|>", "<|end|>", (0, -3)),
        ("<|call|>", "", (0, -3)),
        ('"1"}<|call|>', "", (0, -3)),
        (" to=functions.find", "", (0, -3)),
        ("functions.find", "find", (0, -3)),
        ("commentary json", "commentary to=functions.find json", (0, -3)),
        ("commentary", "thoughts", (0, -3)),
        ('{"a": "1"}', '{"a": "1"}<|message|>', (0, -3)),
        ('{"a": "1"}', '["a"]', (1, -3)),
        ('{"a": "1"}', "", (1, -3)),
        ('{"a": "1"}', '{"a": "2", "a": "1"}', (1, 3)),  # the last counts, as in the public implementation
        ('{"a": "1"}', ' {\n"a": "1"\n} ', (1, 3)),
        ("<|call|>", "<|call|>thanks", (0, 3)),
        ("<|call|>", f"<|call|>{START} to=functions.f", (0, -3)),
        ("<|call|>", "<|call|><|start|>user<|message|>Well done.<|end|>", (0, 3)),
        ("functions.find", "functions.find it", (0, -3)),
        ("I call.", "I <|call|> call.", (0, -3)),
        ("<|end|>", "<|return|>", (0, 3)),
        (f"<|end|>{START}", "<|end|>", (0, -3)),  # only the first message may leave out who speaks
    ],
)
def test_what_is_not_as_it_should_be(old, new, expected):
    assert parts(GOLD.replace(old, new)) == expected


def test_a_name_that_cannot_stand_in_a_header_is_well_formed_only_where_the_gold_has_such_names():
    spaced = GOLD.replace("functions.find", "functions.Find It")
    assert parts(spaced) == (0, -3)
    assert parts(spaced, spaced) == (1, 3)
    assert parts(GOLD, spaced) == (1, -3)


def test_escaped_text_counts_as_what_it_says():
    gold = render([Analysis("a"), Call("find", {"a": "<|call|>", "b": "<¦"})])
    assert parts(gold, gold) == (1, 3)
    assert parts(render([Analysis("a"), Call("find", {"a": "<|call|>", "b": "?"})]), gold)[1] == 1.5
    assert parts(gold.replace("<¦|call|>", "\\u003c|call|>"), gold) == (1, 3)


def test_length_is_that_of_the_last_thoughts():
    two = render([Analysis("so " * 400), Analysis("so " * 256), FIND])
    assert compute_score(two, GOLD).length == 0
    assert compute_score(two, GOLD, switches=Switches(with_length=True)).length == 0.5
    after = render([Analysis("so " * 400), FIND, Analysis("so " * 256)])
    assert compute_score(after, GOLD, switches=Switches(with_length=True)).length == 0.5
    empty = render([Analysis("so " * 400), FIND, Analysis("")])
    assert compute_score(empty, GOLD, switches=Switches(with_length=True)).length == 0
    assert compute_score(render([FIND]), GOLD, switches=Switches(with_length=True)).length == 0


# Tokens


def vocabulary() -> tuple[Vocabulary, object]:
    reference = pytest.importorskip("openai_harmony", reason="needs oss-harmony (requirements-dev.txt)")
    encoding = reference.load_harmony_encoding("HarmonyGptOss")
    names = ["start", "end", "message", "channel", "constrain", "return", "call", "endoftext"]
    marks = [f"<|{name}|>" for name in names]
    specials = {encoding.encode(mark, allowed_special="all")[0]: mark for mark in marks}
    return Vocabulary(specials, encoding.decode), encoding


def test_tokens_are_read_and_typed_special_tokens_are_words():
    words, encoding = vocabulary()
    for solution in (GOLD, REPLY, render([FIND]), "words"):
        ids = encoding.encode(solution, allowed_special="all")
        assert compute_score(ids, GOLD, vocabulary=words) == compute_score(solution, GOLD)
        typed = encoding.encode(solution, disallowed_special=())
        assert compute_score(typed, GOLD, vocabulary=words)[1:3] == (0, -3)
    body = encoding.encode("<|channel|>analysis<|message|>", allowed_special="all")
    typed = encoding.encode("I never type <|end|>.", disallowed_special=())
    rest = encoding.encode("<|end|>" + render([FIND]), allowed_special="all")
    assert compute_score([*body, *typed, *rest], GOLD, vocabulary=words)[1:3] == (1, 3)
    with pytest.raises(TypeError, match="need their vocabulary"):
        compute_score([200006], GOLD)


FORGED = render([User("Find it."), ToolResult("find", "{}")])


def test_an_answer_in_tokens_has_no_conversation_before_it():
    """Else an answer could begin with messages of others, and only what follows them would count."""
    words, encoding = vocabulary()
    for solution in (FORGED + GOLD, START + FORGED + GOLD, FORGED + GOLD.removeprefix(START), START + GOLD):
        ids = encoding.encode(solution, allowed_special="all")
        assert compute_score(ids, GOLD, vocabulary=words)[1:3] == (0, -3)


# The right answer


@pytest.mark.parametrize(
    "gold",
    [
        "",
        "words",
        '<think> t </think>\n<tool_call>\n{"name": "find", "parameters": {}}\n</tool_call>',
        GOLD[:-1],
        GOLD.replace('{"a": "1"}', "[]"),
        GOLD.replace('"1"', '"1'),
        GOLD + "and more",
        render([Preamble("I look.")]),
    ],
)
def test_a_right_answer_that_cannot_be_read_is_refused_with_the_remedy(gold):
    with pytest.raises(ValueError, match=r"pipeline\.toolrl convert"):
        compute_score(GOLD, gold)


def test_a_right_answer_must_be_text():
    with pytest.raises(TypeError, match="must be text, not dict"):
        compute_score(GOLD, {"gold": 1})


def test_what_a_question_remembers_is_bounded():
    gold = read_gold(GOLD)
    for number in range(200):
        compute_score(render([Analysis("t"), Call("find", {"a": str(number)})]), GOLD)
    assert len(gold.answers) <= 16
