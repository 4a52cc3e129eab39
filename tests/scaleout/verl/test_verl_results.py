"""A verl run's dumps become the project's records: found by name, carried out anew, and no score believed."""

import json
from pathlib import Path

import pytest
from verl_samples import gold_turns, rollout_of, task_at

from pipeline.episode_records import read_records, replayed
from pipeline.metrics import measured, summary
from scaleout.verl.__main__ import main
from scaleout.verl.account import account, shop
from scaleout.verl.results import read_back
from scaleout.verl.reward import scored

REWARD = ("tool_level", "outcome:2")


def write_run(folder: Path, *, steps: int = 12) -> list[dict[str, float]]:
    """Dumps as verl writes them, accounts as our loops do: two rollouts a step, one gold, one broken off."""
    dumps, episodes = folder / "dumps", folder / "episodes"
    dumps.mkdir()
    episodes.mkdir()
    values = []
    for step in range(1, steps + 1):
        task = task_at(1 + step % 5, step)
        lines = []
        for session, turns in enumerate([gold_turns(task), gold_turns(task)[:1]]):
            rollout = rollout_of(task, turns)
            values.append(scored(rollout.episode, REWARD))
            uid = f"prompt{step}_{session}_0"
            known = {"uid": uid, "generation_seconds": 0.5 * step, "tool_seconds": 0.1}
            record = {"verl": known, **json.loads(account(rollout))}
            with (episodes / f"host-{session}.jsonl").open("a", encoding="utf-8") as out:
                out.write(json.dumps(record) + "\n")
            text = {"input": "…", "output": "stripped", "gts": json.dumps(task.to_json())}
            lines.append({**text, "score": values[-1]["score"], "step": step, "uid": uid})
        (dumps / f"{step}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return values


def change(path: Path, number: int, **values) -> None:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines[number] |= values
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_every_rollout_comes_back_in_order_and_with_its_own_metrics(tmp_path):
    values = write_run(tmp_path)
    read = read_back(tmp_path / "dumps", tmp_path / "episodes", tmp_path / "out.jsonl", reward=REWARD)
    assert read.ok and read.episodes == 24
    assert read.slowest == {"generation_seconds": 6.0, "tool_seconds": 0.1}
    for name in ("score", "task_success_rate", "avg_tool_calls"):
        assert read.metrics[name] == pytest.approx(sum(value[name] for value in values) / 24)
    records = list(read_records(tmp_path / "out.jsonl"))
    assert [record["step"] for record in records] == [step for step in range(1, 13) for _ in range(2)]
    assert [record["succeeded"] for record in records] == [bool(v["task_success_rate"]) for v in values]


def test_the_projects_metrics_take_the_records(tmp_path):
    write_run(tmp_path)
    read = read_back(tmp_path / "dumps", tmp_path / "episodes", tmp_path / "out.jsonl", stage="verl run")
    episodes = [replayed(record, shop()) for record in read_records(tmp_path / "out.jsonl")]
    rate = summary([measured(episode) for episode in episodes])["task_success_rate"].value
    assert rate == pytest.approx(read.metrics["task_success_rate"])
    assert {record["stage"] for record in read_records(tmp_path / "out.jsonl")} == {"verl run"}


def test_a_success_that_an_account_only_claims_is_none(tmp_path):
    write_run(tmp_path, steps=1)
    change(tmp_path / "episodes" / "host-1.jsonl", 0, succeeded=True, changed=[{"made": "up"}])
    read_back(tmp_path / "dumps", tmp_path / "episodes", tmp_path / "out.jsonl", reward=REWARD)
    gold, broken_off = read_records(tmp_path / "out.jsonl")
    assert (gold["succeeded"], broken_off["succeeded"]) == (True, False)
    assert {"made": "up"} not in broken_off["changed"]


def test_what_does_not_fit_is_said_and_the_command_ends_with_1(tmp_path, capsys):
    write_run(tmp_path, steps=2)
    change(tmp_path / "dumps" / "1.jsonl", 0, score=17.0)
    change(tmp_path / "dumps" / "2.jsonl", 1, uid="unheard_of_0_0")
    record = json.loads((tmp_path / "episodes" / "host-0.jsonl").read_text().splitlines()[1])
    turns = [turn | {"answer": "Something else."} for turn in record["turns"]]
    change(tmp_path / "episodes" / "host-0.jsonl", 1, turns=turns)
    out = ["--episodes", str(tmp_path / "episodes"), "--out", str(tmp_path / "out.jsonl")]
    assert main(["results", str(tmp_path / "dumps"), *out, "--reward", *REWARD]) == 1
    said = capsys.readouterr().out
    assert "1 rollouts were scored otherwise by verl" in said and "prompt1_0_0" in said
    assert "1 rollouts have no account" in said and "unheard_of_0_0" in said
    assert "1 rollouts get other answers from the shop today" in said and "prompt2_0_0" in said


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("dumps/1.jsonl", '{"uid": "a"}\n', "1.jsonl:1: is no line of a verl dump"),
        ("dumps/1.jsonl", '{"uid": "a", "score": "high", "step": 1}\n', "must be a number"),
        ("episodes/host-0.jsonl", "{}\n", "host-0.jsonl:1: is no account"),
        ("episodes/host-0.jsonl", "{not json\n", "host-0.jsonl:1: not valid JSON"),
    ],
)
def test_a_file_that_is_none_of_these_is_named_with_its_line(tmp_path, capsys, file, text, said):
    write_run(tmp_path, steps=1)
    (tmp_path / file).write_text(text, encoding="utf-8")
    out = ["--episodes", str(tmp_path / "episodes"), "--out", str(tmp_path / "out.jsonl")]
    assert main(["results", str(tmp_path / "dumps"), *out]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(("empty", "said"), [("dumps", "rollout_data_dir"), ("episodes", "agent_loops.yaml")])
def test_an_empty_folder_says_which_setting_fills_it(tmp_path, empty, said):
    write_run(tmp_path, steps=1)
    for path in (tmp_path / empty).iterdir():
        path.unlink()
    with pytest.raises(ValueError, match=said):
        read_back(tmp_path / "dumps", tmp_path / "episodes", tmp_path / "out.jsonl")
