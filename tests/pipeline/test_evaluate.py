"""Evaluation on disk: resumed, sharded, scored again without a model, compared, and from the command line."""

import json
from dataclasses import replace

import pytest
from scripted_agent import ScriptedAgent, gold_turns

from envs.retail.customer import ScriptedCustomer
from envs.retail.database import Shop
from envs.retail.files import FileError
from pipeline import evaluate_commands, export, grpo, report_page
from pipeline.episode_records import read_records, replayed, to_record
from pipeline.evaluate import evaluate, evaluation_files, rescore, stage_adapter
from pipeline.rollouts import play

CUT = ' to=functions.get_order_details<|channel|>commentary json<|message|>{"order_id"'


@pytest.fixture(scope="module")
def script(shop, tasks) -> dict[str, list[str]]:
    """Half are served as they should be; the others forget the last call, or break off in the middle."""
    turns = {task.query: gold_turns(shop, task) for task in tasks}
    for number, query in enumerate(turns):
        if number % 3 == 0:
            turns[query] = turns[query][:-2] + ["<|channel|>final<|message|>Goodbye!<|return|>"] * 30
        if number % 6 == 1:
            turns[query] = [*turns[query][:1], CUT]
    return turns


def run(script, shop, tasks, folder, agent=None, **settings):
    agent = agent or ScriptedAgent(script)
    return evaluate(agent, shop, tasks, folder, stage="sft", progress=False, **settings)


def test_what_is_played_and_written_is_what_is_measured(shop, tasks, script, tmp_path):
    played = run(script, shop, tasks, tmp_path)
    direct = play(ScriptedAgent(script), shop, tasks, progress=False)
    assert {one.task: one.succeeded for one in played} == {
        one.episode.task.id: one.episode.succeeded for one in direct
    }
    assert {one.failure for one in played} >= {None, "invalid call", "forgot a write"}
    again = rescore(evaluation_files(tmp_path, "sft"), shop)
    assert again.played == played
    assert (again.answered_otherwise, again.lost_or_won) == (0, 0)


def test_an_episode_comes_back_from_its_record_whole(shop, tasks, script):
    for rollout in play(ScriptedAgent(script), shop, tasks, progress=False):
        record = json.loads(json.dumps(to_record(rollout, shop, "sft")))
        episode = replayed(record, shop)
        assert episode == rollout.episode
        assert episode.matching == rollout.episode.matching
        assert len(record["written"]) == len(rollout.episode.attempts)
        gold_write = {change["record"] for change in record["gold_changed"]}
        assert gold_write == {key for _, key in rollout.episode.gold_changes}


class Dies(Exception):
    pass


class DyingAgent(ScriptedAgent):
    """Serves some turns and then takes the whole process with it."""

    left = 40

    def write(self, histories):
        self.left -= len(histories)
        if self.left < 0:
            raise Dies
        return super().write(histories)


def test_a_killed_evaluation_goes_on_where_it_was(shop, tasks, script, tmp_path):
    with pytest.raises(Dies):
        run(script, shop, tasks, tmp_path, DyingAgent(script), batch_size=4)
    file = tmp_path / "sft.jsonl"
    before = file.read_text()
    assert 0 < before.count("\n") < len(tasks)
    file.write_text(before + '{"stage": "sft", "id": "half a li')
    agent = ScriptedAgent(script)
    played = run(script, shop, tasks, tmp_path, agent, batch_size=4)
    assert file.read_text().startswith(before)
    asked = {query for batch in agent.asked for query in batch}
    assert len(asked) == len(tasks) - before.count("\n"), "what had ended is not played again"
    whole = run(script, shop, tasks, tmp_path / "whole")
    key = lambda one: one.task  # noqa: E731
    strip = lambda one: replace(one, ratios=one.ratios | {"seconds": (0, 0)})  # noqa: E731
    assert [strip(one) for one in sorted(played, key=key)] == [strip(one) for one in sorted(whole, key=key)]


def test_shards_are_parts_of_the_whole(shop, tasks, script, tmp_path):
    parts = [run(script, shop, tasks, tmp_path, shard=(part, 3), trials=2) for part in (1, 2, 3)]
    assert sum(map(len, parts)) == 2 * len(tasks)
    together = rescore(evaluation_files(tmp_path, "sft"), shop).played
    assert {(one.task, one.trial) for one in together} == {(t.id, n) for t in tasks for n in (0, 1)}
    assert len(together) == 2 * len(tasks)


def test_a_stage_is_not_divided_in_two_ways(shop, tasks, script, tmp_path):
    """Its tasks would stand there twice, and count as two trials."""
    run(script, shop, tasks[:4], tmp_path, shard=(1, 2))
    for shard in ((1, 1), (1, 3)):
        with pytest.raises(ValueError, match=r"sft\.1-of-2\.jsonl.* count twice"):
            run(script, shop, tasks[:4], tmp_path, shard=shard)
    assert [file.name for file in evaluation_files(tmp_path, "sft")] == ["sft.1-of-2.jsonl"]
    (tmp_path / "sft.jsonl").touch()
    with pytest.raises(ValueError, match="count twice"):
        evaluation_files(tmp_path, "sft")


def test_a_stage_whose_name_begins_like_anothers_is_not_taken_for_its_shard(shop, tasks, script, tmp_path):
    for stage in ("sft", "sft.long"):
        agent = ScriptedAgent(script)
        evaluate(agent, shop, tasks[:4], tmp_path, stage=stage, shard=(1, 2), progress=False)
    assert [file.name for file in evaluation_files(tmp_path, "sft")] == ["sft.1-of-2.jsonl"]
    assert [file.name for file in evaluation_files(tmp_path, "sft.long")] == ["sft.long.1-of-2.jsonl"]


def test_episodes_of_other_settings_are_not_mixed(shop, tasks, script, tmp_path):
    run(script, shop, tasks, tmp_path, trials=1)
    with pytest.raises(ValueError, match=r"other settings \(trials\).*another stage"):
        run(script, shop, tasks, tmp_path, trials=2)
    with pytest.raises(ValueError, match=r"\(tasks\)"):
        run(script, shop, tasks[1:], tmp_path, trials=1)
    with pytest.raises(ValueError, match=r"\(model\)"):
        run(script, shop, tasks, tmp_path, trials=1, model="another")
    run(script, shop, tasks, tmp_path, trials=1, batch_size=3)  # how fast it runs is no setting


def test_a_shop_that_has_changed_is_noticed(shop, tasks, script, tmp_path):
    run(script, shop, tasks, tmp_path)
    orders = {key: order | {"status": "cancelled"} for key, order in shop.orders.items()}
    found = rescore(evaluation_files(tmp_path, "sft"), Shop(shop.products, shop.users, orders))
    assert found.answered_otherwise > 0 and found.lost_or_won > 0


def test_a_line_that_is_no_record_is_named(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"stage": "sft"}\n')
    with pytest.raises(FileError, match=r"x\.jsonl:1: .*trial"):
        list(read_records(tmp_path / "x.jsonl"))


def test_what_is_missing_names_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"pipeline\.evaluate run --stage grpo"):
        evaluation_files(tmp_path, "grpo")
    with pytest.raises(FileNotFoundError, match=r"pipeline\.sft"):
        stage_adapter(tmp_path, "sft")
    with pytest.raises(ValueError, match="file's name"):
        evaluate(None, None, [], tmp_path, stage="../sft")


def test_rescore_and_compare_from_the_command_line(shop, tasks, script, tmp_path, capsys):
    folder = tmp_path / "evaluation"
    run(script, shop, tasks, folder)
    gold = ScriptedAgent.of(lambda task: gold_turns(shop, task), tasks)
    better = evaluate(gold, shop, tasks, folder, stage="grpo", progress=False)
    assert all(one.succeeded for one in better)
    assert evaluate_commands.main(["rescore", str(folder / "sft.jsonl")]) == 0
    out = capsys.readouterr().out
    assert "task_success_rate" in out and "failed: invalid call" in out and "answered otherwise" not in out
    assert evaluate_commands.main(["compare", str(tmp_path), "sft", "grpo"]) == 0
    assert "sft -> grpo: +" in capsys.readouterr().out
    assert evaluate_commands.main(["compute"]) == 2
    for words in (["compare", str(tmp_path), "sft", "nothing"], ["rescore", str(tmp_path / "none.jsonl")]):
        with pytest.raises(SystemExit):
            evaluate_commands.main(words)


@pytest.mark.parametrize(
    ("words", "at_a_time"),
    [([], 4), (["--batch-size", "9"], 9), (["--endpoint", "http://localhost/v1", "--name", "m"], 32)],
)
def test_no_more_is_served_at_once_than_the_profile_says(tmp_path, monkeypatch, words, at_a_time):
    asked = {}
    monkeypatch.setattr(evaluate_commands, "_who_answers", lambda *_: (None, "a model"))
    monkeypatch.setattr(evaluate_commands, "evaluate", lambda *_, **settings: asked.update(settings) or [])
    assert evaluate_commands.main(["run", "--run", str(tmp_path), "--profile", "t4", *words]) == 0
    assert asked["batch_size"] == at_a_time


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--adapter", "x"], "needs --stage"),
        (["--adapter", "x", "--endpoint", "http://localhost/v1", "--name", "m"], "not allowed with"),
        (["--tasks", "x.jsonl", "--tau-bench", "tau"], "not allowed with"),
        (["--endpoint", "http://localhost/v1"], "needs --name"),
        (["--shard", "3/2"], "must look like 2/4"),
    ],
)
def test_what_would_be_played_under_a_wrong_name_or_not_at_all_is_refused(tmp_path, capsys, words, reason):
    with pytest.raises(SystemExit) as stop:
        evaluate_commands.main(["run", "--run", str(tmp_path), "--profile", "tiny", *words])
    assert stop.value.code == 2 and reason in capsys.readouterr().err


@pytest.mark.parametrize(
    ("main", "words"),
    [
        (evaluate_commands.main, ["compare", "tpyo", "sft", "grpo"]),
        (evaluate_commands.main, ["run", "--run", "tpyo", "--profile", "tiny", "--test-tasks", "2"]),
        (report_page.main, ["tpyo"]),
        (export.main, ["--run", "tpyo", "--profile", "tiny"]),
        (grpo.main, ["--run", "tpyo", "--profile", "tiny"]),
    ],
)
def test_a_mistyped_run_leaves_no_folder(tmp_path, monkeypatch, capsys, main, words):
    monkeypatch.setenv("TOOL_OUTPUTS", str(tmp_path))
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2 and "tpyo" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_who_answers_is_noted_beside_the_episodes(shop, tasks, script, tmp_path):
    run(script, shop, tasks, tmp_path, customer=ScriptedCustomer, model="a model")
    noted = json.loads((tmp_path / "sft.json").read_text())
    assert noted["model"] == "a model" and noted["customer"] == "ScriptedCustomer"
    assert noted["tasks"] == [task.id for task in tasks]
