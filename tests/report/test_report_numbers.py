"""The numbers of a run's page are the metrics', of all episodes and of every stage."""

import shutil

from reading import data_of, page_of, unpacked, verdict_rows, words_of
from sample_run import CUT, STAGES, some_tasks, write_evaluation
from scripted_agent import ScriptedAgent

from envs.retail.database import Shop
from pipeline.evaluate import evaluate, evaluation_files, rescore
from pipeline.failures import failure_counts
from pipeline.metrics import compare, pass_hat, summary
from pipeline.page.numbers import COLUMNS, percent, read_stages
from pipeline.report_page import write_report


def test_the_verdict_is_what_the_metrics_say(run, shop):
    rows = verdict_rows(page_of(run))
    assert list(rows) == list(STAGES)
    for stage, row in rows.items():
        played = rescore(evaluation_files(run / "evaluation", stage), shop).played
        measures = summary(played)
        success = measures["task_success_rate"]
        interval = f"{100 * success.low:.1f} to {percent(success.high)}"
        assert row["task success"] == f"{percent(success.value)} {interval}"
        assert row["pass^k"] == f"2: {percent(pass_hat(played)[2])}"
        assert row["episodes"] == f"{len(played)} of 24 tasks"
        for metric, label, form in COLUMNS:
            assert row[label].startswith(form(measures[metric].value)), metric


def test_each_stage_is_compared_with_the_one_before(run, shop):
    played = [rescore(evaluation_files(run / "evaluation", stage), shop).played for stage in STAGES]
    words = words_of(page_of(run))
    for names, pair in ((STAGES[:2], played[:2]), (STAGES[1:], played[1:])):
        found = compare(*pair)
        line = f"{100 * found.difference:+.1f} points {100 * found.low:+.1f} to {100 * found.high:+.1f}"
        assert f"{names[0]} → {names[1]} {line} {found.p_value:.3g} {found.better} {found.worse}" in words


def test_stages_with_other_tasks_are_not_compared(shop, tmp_path):
    tasks = some_tasks(shop, 6)
    write_evaluation(tmp_path, shop, tasks, "base")
    write_evaluation(tmp_path, shop, tasks[1:], "sft")
    words = words_of(write_report(tmp_path, shop).read_text())
    assert "base → sft cannot be compared: not the same tasks: 1 are in one only" in words


def test_failures_are_counted_by_kind_and_level(run, shop):
    words = words_of(page_of(run))
    stages = read_stages(run / "evaluation", shop)
    for kind in failure_counts(one.failure for one in stages[0].played):
        counts = [sum(one.failure == kind for one in stage.played) for stage in stages]
        assert f"{kind} " + " ".join(f"{count} of 48" for count in counts) in words
    for level in range(1, 6):
        own = [[one for one in stage.played if one.level == level] for stage in stages]
        counts = [f"{sum(not one.succeeded for one in played)} of {len(played)}" for played in own]
        assert f"level {level} " + " ".join(counts) in words


def test_shards_make_one_stage_and_others_come_last(shop, tmp_path):
    tasks = some_tasks(shop, 6)
    for part in (1, 2):
        agent = ScriptedAgent({task.query: [CUT] for task in tasks})
        evaluate(agent, shop, tasks, tmp_path, stage="a.model", shard=(part, 2), progress=False)
    write_evaluation(tmp_path / "run", shop, tasks, "sft")
    shutil.copytree(tmp_path / "run" / "evaluation", tmp_path, dirs_exist_ok=True)
    (tmp_path / "base.jsonl").touch()
    stages = read_stages(tmp_path, shop)
    assert [(stage.name, len(stage.played)) for stage in stages] == [("sft", 6), ("a.model", 6)]
    assert stages[1].played == rescore(evaluation_files(tmp_path, "a.model"), shop).played


def test_a_shop_that_answers_otherwise_is_named(shop, tmp_path):
    write_evaluation(tmp_path, shop, some_tasks(shop, 6), "grpo")
    orders = {key: order | {"status": "cancelled"} for key, order in shop.orders.items()}
    html = write_report(tmp_path, Shop(shop.products, shop.users, orders)).read_text()
    assert "The shop is not the one that grpo was played in" in words_of(html)
    steps = [step for task in unpacked(data_of(html)) for one in task["episodes"] for step in one["steps"]]
    assert any(step.get("otherwise") for step in steps)
