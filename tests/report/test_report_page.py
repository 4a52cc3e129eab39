"""A run's page: its numbers are the metrics', what is left out is said, nothing in it can act or fetch."""

import base64
import hashlib
import json
import re
import shutil
from html import unescape
from pathlib import Path

import pytest
from sample_run import CUT, HOSTILE, STAGES, some_tasks, write_evaluation, write_metrics
from scripted_agent import ScriptedAgent, gold_plan

from envs.retail.database import Shop
from pipeline import report_page
from pipeline.episode_records import read_records, replayed
from pipeline.evaluate import evaluate, evaluation_files, rescore
from pipeline.failures import failure_counts
from pipeline.metrics import compare, pass_hat, summary
from pipeline.page import episodes
from pipeline.page.numbers import COLUMNS, percent, read_stages
from pipeline.report_page import main, write_report
from pipeline.rewards import score


def page_of(run: Path) -> str:
    return (run / "report.html").read_bytes().decode()


def words_of(html: str) -> str:
    """What a reader sees, on one line."""
    html = re.sub(r"<(script|style).*?</\1>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def data_of(html: str) -> dict:
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1]
    )


def unpacked(data: dict) -> list[dict]:
    """The tasks with their texts back in place, as the page's script sees them."""

    def whole(value):
        if isinstance(value, dict):
            return data["texts"][value["$"]] if "$" in value else {k: whole(v) for k, v in value.items()}
        return [whole(inner) for inner in value] if isinstance(value, list) else value

    return whole(data["tasks"])


def verdict_rows(html: str) -> dict[str, dict[str, str]]:
    """Of each stage, the words in each column."""
    table = re.search(r'<table class="cards verdict">(.*?)</table>', html, re.DOTALL)[1]
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table, re.DOTALL)
    cells = r'<td data-label="([^"]+)"[^>]*>(.*?)</td>'
    return {
        stage: {name: words_of(cell) for name, cell in re.findall(cells, row, re.DOTALL)}
        for stage, row in rows
    }


# numbers


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


# episodes


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


# nothing in it acts or fetches


def test_the_page_is_small_and_fetches_nothing(run):
    html = page_of(run)
    assert len(html.encode()) < 3_000_000
    data = r'<script type="application/json".*?</script>'
    static = re.sub(data, "", html, flags=re.DOTALL)
    markup = re.sub(r"<script>.*?</script>", "", static, flags=re.DOTALL)
    places = re.findall(r"""(?:src|href|action|data|poster|srcset)\s*=\s*["']?([^"'\s>]*)""", markup)
    assert places and all(place.startswith(("#", "data:")) for place in places), places
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|import\(|innerHTML|eval\(", static)


def test_the_executed_notebooks_are_linked_where_there_are_any(run, shop):
    assert "notebooks.html" not in page_of(run)
    executed = run / "notebooks.html"
    executed.write_text("<p>executed</p>")
    try:
        assert '<a href="notebooks.html">' in write_report(run, shop).read_text(encoding="utf-8")
    finally:
        executed.unlink()
        write_report(run, shop)


def test_the_policy_allows_the_pages_own_style_and_script_alone(run):
    html = page_of(run)
    policy = unescape(re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1])
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_hostile_text_ends_no_script_and_comes_back_whole(run):
    html = page_of(run)
    assert html.count("<script") == html.count("</script>") == 2
    raw = re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1]
    assert "<" not in raw and raw.isascii()
    said = [
        step["text"]
        for t in unpacked(data_of(html))
        for e in t["episodes"]
        for step in e["steps"]
        if "text" in step
    ]
    assert any(text.endswith(HOSTILE) for text in said)


@pytest.mark.parametrize(
    "text", ["\ud800 half a pair", "\u2028\u2029", "<!-- <script>", "\x00\x1b[2J", "]]>"]
)
def test_any_text_survives_embedding(text):
    assert json.loads(episodes.embedded({"a": text})) == {"a": text}
    assert "<" not in episodes.embedded(text) and episodes.embedded(text).isascii()


def test_a_hostile_family_and_name_are_escaped(shop, tmp_path):
    folder = tmp_path / "<b>bold"
    write_evaluation(folder, shop, some_tasks(shop, 2), "sft")
    file = folder / "evaluation" / "sft.jsonl"
    records = list(read_records(file))
    for record in records:
        record["task"]["family"] = "<img src=x onerror=alert(1)>"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    html = write_report(folder, shop).read_text()
    assert "<img" not in html and "<b>bold" not in html and "&lt;b&gt;bold" in html


# what is missing


def test_what_a_run_has_not_got_is_left_out_with_a_sentence(run, shop, tmp_path):
    write_metrics(tmp_path / "trained")
    words = words_of(write_report(tmp_path / "trained", shop).read_text())
    assert "No episodes here: run python -m pipeline.evaluate run --run trained --stage sft" in words
    assert "Supervised warm-up 60 steps" in words and "No training log" not in words
    write_evaluation(tmp_path / "served", shop, some_tasks(shop, 3), "base")
    words = words_of(write_report(tmp_path / "served", shop).read_text())
    assert "No training log here: python -m pipeline.sft --run served" in words
    assert "Only base has been evaluated" in words and "All 3 episodes are here." in words


def test_a_run_with_nothing_is_refused_with_what_to_run(shop, tmp_path, capsys):
    with pytest.raises(FileNotFoundError, match=r"pipeline\.evaluate run --run .* --stage sft"):
        write_report(tmp_path, shop)
    with pytest.raises(SystemExit):
        main([str(tmp_path)])
    assert "neither episodes nor a training log" in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_from_the_command_line(run, capsys):
    before = page_of(run)
    assert main([str(run)]) == 0
    assert capsys.readouterr().out.strip() == str(run / "report.html")
    assert page_of(run) == before


def test_settings_are_shown_by_file(run):
    words = words_of(page_of(run))
    assert "config.json profile tiny seed 3407" in words
    assert "evaluation/grpo.json" in words and "tasks 24 values" in words
