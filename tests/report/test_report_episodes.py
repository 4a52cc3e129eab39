"""The episodes of a run's page: all that happened in each, and which are there if not all fit."""

import shutil

from reading import data_of, page_of, unpacked, verdict_rows, words_of
from sample_run import CUT, HOSTILE, STAGES, some_tasks
from scripted_agent import ScriptedAgent, gold_plan

from pipeline import report_page
from pipeline.episode_records import read_records, replayed
from pipeline.evaluate import evaluate
from pipeline.page import episodes
from pipeline.page.numbers import read_stages
from pipeline.report_page import write_report
from pipeline.rewards import score


def test_every_episode_is_there_with_what_it_was_paid(run, shop):
    shown = {
        (e["stage"], t["id"], e["trial"]): (e, t)
        for t in unpacked(data_of(page_of(run)))
        for e in t["episodes"]
    }
    assert "All 144 episodes are here." in words_of(page_of(run)) and len(shown) == 144
    for stage in STAGES:
        for record in read_records(run / "evaluation" / f"{stage}.jsonl"):
            episode, task = shown[stage, record["id"], record["trial"]]
            whole = replayed(record, shop)
            terms = score(whole, {"tool_level": 1.0, "outcome": 1.0}).terms
            assert episode["terms"] == [[t.profile, t.name, t.count, round(t.value, 6)] for t in terms]
            assert (episode["failure"] is None) == whole.succeeded
            assert [step["name"] for step in episode["steps"] if step["who"] == "call"] == [
                turn.action.name for turn in whole.calls
            ]
            assert len(task["gold"]) == len(episode["gold"]) == len(whole.gold_turns)
            wanted = {(c["record"], c["field"]): c["after"] for c in record["gold_changed"]}
            assert {(row[0], row[1]) for row in episode["changes"] if row[4] is not None} == set(wanted)


def test_a_turn_that_could_not_be_read_has_its_reason_and_its_words(run):
    steps = [step for t in unpacked(data_of(page_of(run))) for e in t["episodes"] for step in e["steps"]]
    unread = [step for step in steps if step["who"] == "unread"]
    assert unread and all(
        step["reader"][0].startswith("truncated: ") for step in unread if HOSTILE not in step["raw"]
    )
    assert any(CUT in step["raw"] for step in unread)
    assert any("I wonder what they want." in step.get("thoughts", []) for step in steps)


def test_a_plan_is_shown_with_its_calls(shop, tmp_path):
    tasks = [task for task in some_tasks(shop, 24)[1:] if task.level <= 2]
    agent = ScriptedAgent({t.query: gold_plan(t) if n % 2 else [CUT] for n, t in enumerate(tasks)})
    evaluate(agent, shop, tasks, tmp_path / "evaluation", stage="sft", mode="plan", progress=False)
    shown = [t["episodes"][0] for t in unpacked(data_of(write_report(tmp_path, shop).read_text()))]
    assert any(one["failure"] is None for one in shown)
    assert {step["who"] for one in shown for step in one["steps"]} == {"customer", "call", "unread"}


def test_where_not_all_fit_the_page_says_which_are_there(run, shop, tmp_path, monkeypatch):
    folder = shutil.copytree(run, tmp_path / "demo")
    monkeypatch.setattr(report_page, "LIMIT", 260_000)
    html = write_report(folder, shop).read_bytes().decode()
    assert len(html.encode()) < 260_000
    tasks = unpacked(data_of(html))
    shown = [one for task in tasks for one in task["episodes"]]
    assert 0 < len(shown) < 144 and len(shown) == 6 * len(tasks), (
        "a task has all its stages and trials, or none"
    )
    sentence = f"{len(shown)} of 144 episodes are here, of {len(tasks)} of 24 tasks"
    assert sentence in words_of(html) and "All numbers above are of all 144" in words_of(html)
    failed = [any(one["failure"] for one in task["episodes"] if one["stage"] == "grpo") for task in tasks]
    assert failed == sorted(failed, reverse=True), "what the last stage failed comes first"
    assert verdict_rows(html) == verdict_rows(page_of(run))
    assert write_report(folder, shop).read_bytes().decode() == html


def test_an_enormous_task_does_not_keep_the_others_out(shop, tmp_path, monkeypatch):
    first, *others = tasks = some_tasks(shop, 4)
    script = {task.query: [CUT] for task in others}
    script[first.query] = [f"<|channel|>final<|message|>{n}{'!' * 9000}<|return|>" for n in range(40)]
    agent = ScriptedAgent(script, tokens=False)
    evaluate(agent, shop, tasks, tmp_path, stage="sft", progress=False)
    monkeypatch.setattr(episodes, "crc32", lambda text: text != first.id.encode())
    stages = read_stages(tmp_path, shop)
    everything = episodes.choose(stages, shop, 10**7)
    assert (everything.count, everything.tasks[0]["id"]) == (4, first.id)
    assert episodes.choose(stages, shop, 25_000).count == 3


def test_a_very_long_text_is_cut_and_says_so(shop, tmp_path):
    tasks = some_tasks(shop, 2)
    long = "<|channel|>final<|message|>" + "very " * 50_000 + "<|return|>"
    agent = ScriptedAgent({task.query: [long] * 30 for task in tasks}, tokens=False)
    evaluate(agent, shop, tasks, tmp_path / "evaluation", stage="sft", progress=False)
    page = write_report(tmp_path, shop)
    assert page.stat().st_size < 200_000
    assert "(cut; 250,000 characters in the file)" in page.read_text()
