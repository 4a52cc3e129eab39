"""Dumped evaluations: the episodes come back, scored by the project, whatever SkyRL's file claims."""

import json
from dataclasses import replace

import pytest
from scripted_agent import gold_turns
from skyrl_lab import BYE, FORGED, HOSTILE, in_channel_form, play_one, serve

from pipeline.agent import Told
from pipeline.episode_records import read_records, replayed
from pipeline.evaluate import evaluation_files, rescore
from pipeline.rewards import score
from scaleout.skyrl.__main__ import main
from scaleout.skyrl.results import pieces, read_back, total
from scaleout.skyrl.rows import retail_rows
from scaleout.skyrl.settings import RetailSettings


def dumped(task, turns, **changes) -> tuple[dict, object]:
    """A line as SkyRL writes it, made of an episode played token by token, and that episode."""
    limit = changes.pop("max_turns", 30)
    served = serve(task, turns, max_turns=limit)
    transcript = served.running.history.transcript[1:]
    (row,) = retail_rows([task])
    extras = {key: row[key] for key in ("data_source", "reward_spec", "extra_info")} | {"max_turns": limit}
    entry = {
        "input_prompt": served.running.history.transcript[0].text,
        "output_response": "".join(piece.text for piece in transcript),
        "score": [*[0.0] * 3, served.reward],
        "stop_reason": "stop",
        "env_class": "retail",
        "env_extras": extras,
        "data_source": "retail_test",
    }
    return entry | changes, served


def write_dump(folder, step, entries, name="retail_test"):
    place = folder / "dumped_evals" / f"global_step_{step}_evals"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    (place / "aggregated_results.jsonl").write_text('{"eval/all/avg_score": 1.0}\n')


@pytest.fixture
def scripts(shop, tasks):
    """Episodes of every kind: gold in both forms, hostile, broken off, too long."""
    gold = [(task, gold_turns(shop, task), {}) for task in tasks]
    channel = [(task, [in_channel_form(turn) for turn in turns], {}) for task, turns, _ in gold[:4]]
    cut = [(task, [*turns[:-1], turns[-1][:-5]], {}) for task, turns, _ in gold[:4]]
    short = [(task, turns, {"max_turns": 2}) for task, turns, _ in gold[4:8]]
    one_end = [turn for turn in HOSTILE if turn and turn != BYE + BYE]  # an engine stops at the first end
    hostile = [(tasks[0], [turn, BYE, BYE, BYE], {}) for turn in one_end]
    return [*gold, *channel, *cut, *short, *hostile]


def test_each_episode_comes_back_as_it_was(shop, scripts, tmp_path):
    pairs = [dumped(task, turns, **limits) for task, turns, limits in scripts]
    write_dump(tmp_path / "export", 5, [entry for entry, _ in pairs])
    (found,) = read_back(tmp_path / "export", tmp_path / "run")
    assert found.file == tmp_path / "run/evaluation/skyrl-step-5.jsonl" and found.episodes == len(pairs)
    assert found.answered_otherwise == () and found.scored_otherwise == ()
    records = list(read_records(found.file))
    for record, (_, served) in zip(records, pairs, strict=True):
        again = replayed(record, shop)
        assert replace(again, tokens=0) == replace(served.episode, tokens=0)
        assert score(again, normalise=True).total == served.reward
        assert record["stage"] == "skyrl-step-5"
    assert len({(record["id"], record["trial"]) for record in records}) == len(records)


def test_the_projects_tables_read_them(shop, scripts, tmp_path):
    pairs = [dumped(task, turns) for task, turns, _ in scripts[:16]]
    for step in (5, 10):
        write_dump(tmp_path, step, [entry for entry, _ in pairs])
    assert [found.file.stem for found in read_back(tmp_path, tmp_path)] == ["skyrl-step-5", "skyrl-step-10"]
    again = rescore(evaluation_files(tmp_path / "evaluation", "skyrl-step-10"), shop)
    assert all(one.succeeded for one in again.played) and again.answered_otherwise == 0
    assert all(one.ratios["seconds"] == (0.0, 0.0) for one in again.played), "nobody knows how long it took"


def test_a_score_is_never_believed(tasks, shop, tmp_path):
    """A forged success: the file says 1, the words say the refund is made, no tool was called."""
    task = next(task for task in tasks if task.gold_final)
    entry, _ = dumped(task, ["<|channel|>final<|message|>Done, all is refunded.<|return|>", BYE, BYE, BYE])
    write_dump(tmp_path, 1, [entry | {"score": 1.0}])
    (found,) = read_back(tmp_path, tmp_path)
    (record,) = read_records(found.file)
    assert record["succeeded"] is False and found.scored_otherwise == (task.id,)
    assert "1 were scored otherwise by SkyRL: give the run's own --reward" in str(found)


def test_a_forged_answer_is_seen(tasks, shop, tmp_path):
    """The dump claims that the shop said something else: the shop is asked again, and the lie is counted."""
    entry, _ = dumped(tasks[-1], gold_turns(shop, tasks[-1]))
    _, told = pieces(entry["output_response"])
    lie = told[0].replace("<|message|>", "<|message|>{} ", 1)
    write_dump(tmp_path, 1, [entry | {"output_response": entry["output_response"].replace(told[0], lie, 1)}])
    (found,) = read_back(tmp_path, tmp_path)
    assert found.answered_otherwise == (tasks[-1].id,)
    (record,) = read_records(found.file)
    assert record["succeeded"] is True, "what the agent did is carried out in the real shop"


def test_the_runs_own_reward_is_what_scores_are_compared_with(tasks, shop, tmp_path):
    entry, _ = dumped(tasks[-1], [BYE] * 4)
    served = serve(tasks[-1], [BYE] * 4, reward=["shaped"])
    write_dump(tmp_path, 1, [entry | {"score": served.reward}])
    shaped = RetailSettings(["shaped"])
    assert read_back(tmp_path, tmp_path, settings=shaped)[0].scored_otherwise == ()


def test_turns_and_answers_are_told_apart(shop, tasks):
    for task in tasks:
        turns = gold_turns(shop, task, thoughts=True)
        rollout = play_one(shop, task, turns)
        text = "".join(piece.text for piece in rollout.transcript[1:])
        told = [piece.text for piece in rollout.transcript[1:] if isinstance(piece, Told)]
        assert pieces(text) == (turns, told)
    assert pieces("") == ([], []) and pieces("cut") == (["cut"], [])
    assert pieces(FORGED)[0] == [FORGED], "a forged answer belongs to the turn that forged it"
    assert total([0.0, 0.25, 1]) == 1.25 and total(1) == 1.0


def test_other_worlds_are_passed_over_and_nonsense_is_refused(tasks, tmp_path, capsys):
    entry, _ = dumped(tasks[0], [BYE] * 4)
    write_dump(tmp_path, 1, [entry | {"env_class": "gsm8k_harmony"}, entry])
    assert read_back(tmp_path, tmp_path)[0].episodes == 1
    write_dump(tmp_path, 1, [{"output_response": "x"}])
    assert main(["results", str(tmp_path), "--run", str(tmp_path)]) == 2
    assert "retail_test.jsonl:1: no dumped episode of SkyRL's: score, env_class, env_extras missing" in (
        capsys.readouterr().err
    )
    assert main(["results", str(tmp_path / "empty"), "--run", str(tmp_path)]) == 2
    assert "trainer.dump_eval_results=true" in capsys.readouterr().err


def test_a_name_is_for_one_evaluation(tasks, tmp_path, monkeypatch):
    entry, _ = dumped(tasks[0], [BYE] * 4)
    for step in (1, 2):
        write_dump(tmp_path, step, [entry])
    with pytest.raises(ValueError, match="holds 2 evaluations"):
        read_back(tmp_path, tmp_path, stage="mine")
    one = tmp_path / "dumped_evals" / "global_step_2_evals"
    assert read_back(one, tmp_path, stage="mine")[0].file.name == "mine.jsonl"
    monkeypatch.chdir(one)
    for inside in (".", "retail_test.jsonl"):
        assert read_back(inside, tmp_path)[0].file.name == "skyrl-step-2.jsonl"
