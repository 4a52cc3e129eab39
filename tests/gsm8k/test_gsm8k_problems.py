"""Problems: public files are read or refused by line; made-up ones are right, endless and split cleanly."""

import gzip
import json
import re
from fractions import Fraction
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.gsm8k.answers import read_number, score
from envs.gsm8k.problems import Problem, read_problems
from envs.gsm8k.synthetic import SPLITS, STEPS, generate
from envs.gsm8k.tools import call
from envs.retail.files import FileError

NATALIA = {
    "question": "A shop sold 48 clips in April and half as many in May. How many clips together?",
    "answer": "It sold 48/2 = <<48/2=24>>24 clips in May.\nTogether 48+24 = <<48+24=72>>72 clips.\n#### 72",
}
LARGE = {"question": "How much is it?", "answer": "It is much.\n#### 1,000.50"}


def made(seed: int, split: str, count: int) -> list[Problem]:
    return list(islice(generate(seed, split), count))


def test_jsonl_is_read(tmp_path):
    text = "".join(
        json.dumps(row) + "\n\n" for row in (NATALIA, LARGE | {"source": "extra columns are fine"})
    )
    (tmp_path / "train.jsonl").write_text(text)
    (tmp_path / "train.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    plain = read_problems(tmp_path / "train.jsonl")
    assert plain == read_problems(tmp_path / "train.jsonl.gz")
    assert plain[0] == Problem(NATALIA["question"], NATALIA["answer"], "72")
    assert read_number(plain[1].answer) == Fraction("1000.5")


def test_parquet_is_read_as_jsonl(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist([NATALIA, LARGE]), tmp_path / "test.parquet")
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (NATALIA, LARGE)))
    assert read_problems(tmp_path / "test.parquet") == read_problems(tmp_path / "test.jsonl")


WRONG = [
    ('{"question": "a"}', "column 'answer' is missing; there are 'question'"),
    ("{}", "column 'question' is missing; there are none"),
    ('["a"]', "expected an object"),
    ('{"question": "a", "answer": 72}', "answer must be a text"),
    ('{"question": " ", "answer": "#### 72"}', "question must be a text"),
    ('{"question": "a", "answer": "It is 72."}', "no line `#### <number>`"),
    ('{"question": "a", "answer": "#### seventy"}', "must end in a line"),
    ('{"question": "a", "answer": "#### 1\\n#### 2"}', "must end in a line"),
    ("{", "not valid JSON"),
]


@pytest.mark.parametrize(("line", "reason"), WRONG)
def test_a_wrong_line_is_named(tmp_path, line, reason):
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(NATALIA) + "\n" + line + "\n")
    with pytest.raises(FileError, match=re.escape(reason)) as caught:
        read_problems(path)
    assert str(caught.value).startswith(f"{path}:2: ")


def test_a_wrong_row_of_parquet_is_named(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    from pyarrow import parquet

    path = tmp_path / "train.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([NATALIA, {"question": "a", "answer": None}]), path)
    with pytest.raises(FileError, match="row 2: answer must be a text") as caught:
        read_problems(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["none.jsonl", "none.parquet", "empty.jsonl", "broken.parquet"])
def test_a_file_that_is_missing_empty_or_broken_is_named(tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="parquet needs pyarrow")
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "broken.parquet").write_text("PAR1")
    with pytest.raises(FileError, match=name):
        read_problems(tmp_path / name)


ANNOTATED = re.compile(r"(\S+) = <<(\S+)=(\d+)>>(\d+) \w+\.")


@given(st.integers(0, 10**9), st.sampled_from(SPLITS))
def test_made_up_problems_are_right(seed, split):
    for problem in made(seed, split, 3):
        *lines, last = problem.solution.split("\n")
        assert len(lines) in STEPS and last == f"#### {problem.answer}"
        for line in lines:
            shown, expression, result, told = ANNOTATED.search(line).groups()
            assert shown == expression and told == result
            assert float(call("calculate", {"expression": expression})) == int(result)  # exact: no remainder
        assert result == problem.answer and int(result) > 1
        assert problem == Problem.of(problem.question, problem.solution)
        assert score(problem.solution, problem.answer) == 1.0


@given(st.integers(0, 10**9))
def test_every_number_of_a_made_up_problem_is_known_or_computed(seed):
    for problem in made(seed, "train", 3):
        known = set(re.findall(r"\d+", problem.question)) | {"2"}
        known |= {str(int(number) + 1) for number in known}  # "with 2 other children" are three
        for line in problem.solution.split("\n")[:-1]:
            _, expression, result, _ = ANNOTATED.search(line).groups()
            assert set(re.findall(r"\d+", expression)) <= known
            known.add(result)


def test_a_seed_makes_the_same_problems_and_another_seed_others():
    assert made(1, "train", 50) == made(1, "train", 50)
    assert len({problem.question for seed in (1, 2) for problem in made(seed, "train", 500)}) > 950


def anonymous(problem: Problem) -> str:
    """A problem without names and things: what is computed."""
    return re.sub(r"[A-Za-z]+", "", problem.solution)


def test_splits_share_no_problem_whatever_their_seeds():
    counts = {"train": 2500, "validation": 250, "test": 250}
    kinds = {s: {anonymous(one) for seed in (1, 7) for one in made(seed, s, counts[s])} for s in SPLITS}
    assert all(len(kinds[s]) > counts[s] for s in SPLITS)  # the seeds differ, or half of them would be there
    assert not kinds["train"] & kinds["test"]
    assert not kinds["train"] & kinds["validation"]
    assert not kinds["validation"] & kinds["test"]


def test_all_lengths_and_both_units_occur():
    problems = made(5, "train", 300)
    assert {problem.solution.count("<<") for problem in problems} == set(STEPS)
    assert {problem.question.count("dollars") > 0 for problem in problems} == {True, False}


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="one of train, validation, test"):
        next(generate(1, "dev"))
