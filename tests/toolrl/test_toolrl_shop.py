"""The shop's steps as ToolRL's rows, the questions made from them, and what answers to them are worth."""

from itertools import islice

import pytest

from envs.retail.generator import generate
from pipeline.demonstrations import demonstrate
from pipeline.harmony import Call, Final
from pipeline.toolrl.rows import Row, read_answer, read_history, read_instruction
from pipeline.toolrl.shop import DECLARED, shop_rows, write_shop_rows

START = "<|start|>assistant"


@pytest.fixture(scope="module")
def tasks(shop):
    return list(islice(generate(shop, seed=3, levels=(1, 2)), 24))


def characters(text, add_special_tokens=False):
    """A tokenizer for which a letter is a token."""
    return {"input_ids": text}


def test_the_rows_hold_the_demonstrations_turn_by_turn(shop, tasks):
    for task in tasks:
        rows = [Row.of(row) for row in shop_rows(shop, [task])]
        read = [[*read_history(row.history), *read_answer(row.answer)] for row in rows]
        several = sum(isinstance(message, Call) for message in read_answer(rows[0].answer)) > 1
        messages = list(demonstrate(shop, task, thoughts=True).messages)
        ends = [n for n, message in enumerate(messages, 1) if isinstance(message, Call | Final)]
        assert read[several:] == [messages[:end] for end in ends]
        for row in rows:
            declared = {tool.name: tool.parameters for tool in read_instruction(row.instruction).tools}
            calls = [message for message in read_answer(row.answer) if isinstance(message, Call)]
            assert len(declared) == DECLARED
            assert all(call.arguments.keys() <= declared[call.name].keys() for call in calls)


def test_some_rows_ask_for_several_calls_and_rows_come_again_letter_by_letter(shop, tasks):
    rows = list(shop_rows(shop, tasks))
    several = sum(row["reward_model"]["ground_truth"].count('{"name"') > 1 for row in rows)
    assert 0 < several < len(tasks) / 2
    assert rows == list(shop_rows(shop, tasks))


@pytest.fixture(scope="module")
def converted(shop, tasks, tmp_path_factory):
    pytest.importorskip("pyarrow", reason="needs pyarrow, which comes with datasets")
    from pipeline.toolrl.training import Options, convert_folder

    folder = tmp_path_factory.mktemp("toolrl")
    source = write_shop_rows(shop, {"train": tasks, "test": tasks[:4]}, folder / "rlla")
    summary = convert_folder(source, folder / "rlla_gpt", Options())
    assert summary.rejected == 0
    return folder / "rlla_gpt"


def test_questions_have_one_answer_and_fit(converted):
    from pipeline.toolrl.training import read_questions

    everything = read_questions(converted / "train.parquet", characters, 10**6)
    assert all(one.truth.count("<|call|>") + one.truth.count("<|return|>") == 1 for one in everything)
    longest = sorted(len(one.prompt) for one in everything)[len(everything) // 2]
    assert read_questions(converted / "train.parquet", characters, longest) == [
        one for one in everything if len(one.prompt) <= longest
    ]
    assert (
        read_questions(converted / "train.parquet", characters, longest, 3)
        == [one for one in everything if len(one.prompt) <= longest][:3]
    )
    with pytest.raises(ValueError, match="raise longest"):
        read_questions(converted / "train.parquet", characters, 10)


def test_rows_train_the_answer_alone_and_the_right_answer_earns_most(converted):
    from pipeline.toolrl.training import answer_rows, read_questions, scores

    questions = read_questions(converted / "test.parquet", characters, 10**6)
    rows = answer_rows(questions)
    for one, row in zip(questions, rows, strict=True):
        trained = "".join(piece.text for piece in row.pieces if piece.trained)
        assert row.text == one.prompt + trained and START + trained == one.truth
    right = [row.pieces[-1].text for row in rows]
    assert {score.total for score in scores(questions, right)} == {1.0, 4.0}, "a reply, or a call"
    assert all(score.total <= 0 for score in scores(questions, ["no idea"] * len(questions)))


@pytest.mark.torch
def test_answers_are_scored_as_the_tokens_they_are(converted, monkeypatch):
    """A call typed out in letters is no call, whatever its text looks like."""
    pytest.importorskip("transformers", reason="needs transformers for the tiny base's tokenizer")
    from transformers import PreTrainedTokenizerFast

    from pipeline.runs import ROOT
    from pipeline.toolrl import training

    tokenizer = PreTrainedTokenizerFast.from_pretrained(str(ROOT / "data" / "tiny_base"))
    questions = training.read_questions(converted / "test.parquet", characters, 10**6)
    right = [one.truth.removeprefix(START) for one in questions]
    typed = [text.replace("<|", "<|\0") for text in right]
    for written, worth in ((right, {1.0, 4.0}), (typed, {0.0, -3.0})):
        ids = {
            one.prompt: [number for piece in text.split("\0") for number in encoded(tokenizer, piece)]
            for one, text in zip(questions, written, strict=True)
        }
        monkeypatch.setattr(training, "for_writing", lambda model: model)
        monkeypatch.setattr(training, "generate", lambda *asked, ids=ids: [ids[one] for one in asked[2]])
        answers = training.answers(None, tokenizer, questions, 99)
        assert {score.total for score in training.scores(questions, answers)} == worth


def encoded(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


class Metrics(dict):
    """What a reward function logs."""

    def __call__(self, name, value):
        self[name] = value


@pytest.mark.torch
def test_the_reward_inside_trl_follows_the_step_and_logs_its_terms(converted):
    pytest.importorskip("transformers", reason="needs transformers for the tiny base's tokenizer")
    from types import SimpleNamespace

    from transformers import PreTrainedTokenizerFast

    from pipeline.runs import ROOT
    from pipeline.toolrl.training import Switches, read_questions, toolrl_reward

    tokenizer = PreTrainedTokenizerFast.from_pretrained(str(ROOT / "data" / "tiny_base"))
    one = next(
        q for q in read_questions(converted / "test.parquet", characters, 10**6) if "<|call|>" in q.truth
    )
    right, wrong = (
        tokenizer(text.removeprefix(START), add_special_tokens=False)["input_ids"]
        for text in (one.truth, one.truth.replace("to=functions.", "to=functions.no_"))
    )
    reward, logged = toolrl_reward(tokenizer, 2, Switches(schedule=True)), {}
    for step in (0, 149):
        metrics = logged[step] = Metrics()
        totals = reward(
            completion_ids=[right, wrong, right, right],
            truth=[one.truth] * 4,
            trainer_state=SimpleNamespace(global_step=step),
            log_metric=metrics,
        )
        assert totals[0] == totals[2] == totals[3] > totals[1]
        assert metrics["right_in_full"] == 0.75 and metrics["flat_groups"] == 0.5
    assert logged[149]["terms/correctness"] > logged[0]["terms/correctness"], "it counts more and more"
    assert logged[149]["terms/format"] < logged[0]["terms/format"]
