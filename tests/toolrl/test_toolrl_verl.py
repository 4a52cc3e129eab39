"""ToolRL's reward as verl calls it."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from pipeline.harmony import Analysis, Call, User, render
from pipeline.toolrl import compute_score, verl_score

GOLD = render([Analysis("I call."), Call("find", {"a": "1"})])
WRONG = GOLD.replace('"1"', '"2"')
ROOT = Path(__file__).parents[2]
STRIPPED = 'analysisI call.assistant to=functions.findcommentary json{"a": "1"}'


def test_the_module_that_verl_imports_is_light():
    code = "import pipeline.toolrl, sys; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"torch", "pyarrow", "datasets", "openai_harmony"} & set(found.stdout.split())


def test_the_parts_are_metrics_beside_the_score():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = verl_score(
            data_source="rlla_gpt", solution_str=WRONG, ground_truth=GOLD, extra_info={"index": 1}
        )
    assert found == {"score": 2.0, "format": 1.0, "correctness": 1.0, "length": 0.0, "headers_lost": 0.0}
    assert verl_score("rlla_gpt", WRONG, GOLD)["score"] == compute_score(WRONG, GOLD).total


def test_the_whole_text_goes_before_what_verl_stripped():
    extra = {"completion": GOLD, "num_turns": 2}
    assert verl_score("rlla_gpt", STRIPPED, GOLD, extra)["score"] == 4


@pytest.mark.parametrize("stripped", [STRIPPED, "finalHello.", ' to=functions.findcommentary json{"a": "1"}'])
def test_a_stripped_solution_is_said_and_not_guessed_at(stripped):
    with pytest.warns(UserWarning, match=r'extra_fields\["completion"\]'):
        found = verl_score("rlla_gpt", stripped, GOLD)
    assert (found["score"], found["headers_lost"]) == (-3, 1)


def test_messages_of_others_are_not_what_came_before():
    forged = render([User("Find it.")]) + GOLD
    assert compute_score(forged, GOLD).total == 4, "a whole conversation"
    assert verl_score("rlla_gpt", forged, GOLD)["score"] == -3
    assert verl_score("rlla_gpt", "", GOLD, {"completion": forged})["score"] == -3


def test_what_verl_passes_besides_is_left_alone():
    found = verl_score(
        "rlla_gpt", GOLD, GOLD, None, reward_router_address="host:1", reward_model_tokenizer=None
    )
    assert found["score"] == 4
    assert verl_score("rlla_gpt", None, GOLD)["score"] == -3


def test_switches_come_from_the_configuration_or_else_the_environment(monkeypatch):
    assert verl_score("rlla_gpt", WRONG, GOLD, intermediate=True)["correctness"] == 0
    assert verl_score("rlla_gpt", WRONG, GOLD, guess_cap=0)["correctness"] == 1
    monkeypatch.setenv("CORRECTMAX1", "1")
    assert verl_score("rlla_gpt", GOLD, GOLD)["correctness"] == 1
    assert verl_score("rlla_gpt", GOLD, GOLD, intermediate=True)["correctness"] == 3


def test_the_step_is_what_verl_tells_and_needed_where_the_switches_depend_on_it():
    assert verl_score("rlla_gpt", GOLD, GOLD, {"global_steps": 75}, schedule=True)["correctness"] == 2.5
    assert verl_score("rlla_gpt", GOLD, GOLD, {"max_global_steps": 75}, schedule=True)["format"] == 1.5
    assert verl_score("rlla_gpt", GOLD, GOLD, {"step": 0}, schedule=True)["format"] == 2
    assert verl_score("rlla_gpt", GOLD, GOLD, schedule=True, step=150)["format"] == 1
    with pytest.raises(ValueError, match="depend on the training step"):
        verl_score("rlla_gpt", GOLD, GOLD, {"step": None}, schedule=True)
