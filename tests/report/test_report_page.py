"""A run's page: nothing in it can act or fetch, and what a run has not got is said."""

import base64
import hashlib
import json
import re
from html import unescape

import pytest
from reading import data_of, page_of, unpacked, words_of
from sample_run import HOSTILE, some_tasks, write_evaluation, write_metrics

from pipeline.episode_records import read_records
from pipeline.page import episodes
from pipeline.report_page import main, write_report

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
