"""How long a stage will take: counted tokens over an assumed pace, and a line that says so."""

import shutil
from functools import cache
from pathlib import Path

import pytest

from pipeline.config import PROFILES, resolve, with_changes
from pipeline.datasets import real_vocabulary, token_counter
from pipeline.runs import ROOT
from pipeline.task_sets import rows_for
from pipeline.time_estimate import ASSUMED, Estimate, main, refining_time, spoken, warm_up_time

T4 = resolve("t4", environ={}, train_tasks=6, validation_tasks=4)


@cache
def vocabulary():
    pytest.importorskip("openai_harmony", reason="the real vocabulary comes with oss-harmony")
    return real_vocabulary()


def test_every_profile_has_a_pace():
    assert set(ASSUMED) == set(PROFILES)


def test_the_warm_up_counts_the_rows_that_are_trained_and_validated(shop):
    rows, lengths = rows_for(shop, T4, vocabulary(), "train")
    _, held_out = rows_for(shop, T4, vocabulary(), "validation")
    count = token_counter(vocabulary())
    tokens = sum(count(row.text) for row in rows)
    often = with_changes(T4, sft_epochs=2, sft_accumulation=1, sft_eval_steps=4)
    found = warm_up_time(often, lengths, held_out)
    assert found.trained == 2 * tokens and found.written == 0
    assert found.read == 2 * len(rows) // 4 * sum(n for n in held_out.lengths.values() if n <= 2048)
    assert found.seconds == pytest.approx(found.trained / 150 + found.read / 450)


def test_rows_that_are_dropped_cost_nothing(shop):
    _, lengths = rows_for(shop, T4, vocabulary(), "train")
    short = with_changes(T4, max_seq_length=sorted(lengths.lengths.values())[1], profile="tiny")
    _, fewer = rows_for(shop, short, vocabulary(), "train")
    assert fewer.too_long
    assert warm_up_time(T4, fewer, fewer).trained < warm_up_time(T4, lengths, lengths).trained


def test_refining_counts_training_validation_and_held_out_tasks(shop):
    one = with_changes(T4, grpo_max_steps=1, grpo_eval_steps=10)
    tasks = refining_time(one, shop, vocabulary(), held_out=0)
    each = tasks.read / 4  # one step is one group of four
    assert 1802 < each < 2100 and 40 < tasks.written / 4 < 200, "the plan's prompt, and a plan"
    assert tasks.trained == pytest.approx(tasks.read + tasks.written, abs=2)
    more = refining_time(with_changes(one, grpo_max_steps=10), shop, vocabulary(), held_out=20)
    played = 10 * 4 + 2 * 20 + 4  # ten groups, before and after, one validation
    assert more.read == pytest.approx(played * each, abs=50) and more.trained == pytest.approx(
        10 * tasks.trained, abs=10
    )
    epochs = refining_time(with_changes(one, grpo_max_steps=-1, grpo_epochs=2), shop, vocabulary(), 0)
    assert epochs.trained == pytest.approx(2 * 6 * tasks.trained, abs=20), (
        "six tasks, twice, in groups of four"
    )


def test_an_agent_reads_its_history_again_in_every_turn(shop):
    agent = resolve("t4", mode="agent", environ={}, grpo_max_steps=1, levels=(1,))
    found = refining_time(agent, shop, vocabulary(), held_out=0)
    assert found.read > 2 * found.trained, "several turns, each after all before it"


def test_the_line_says_what_it_assumes():
    line = str(Estimate("t4", trained=90_000, read=45_000, written=400))
    assert line.startswith("about 13 minutes with profile t4, if it trains 90,000 at 150 a second, ")
    assert "writes 400 at 4 a second" in line and "assumed, not measured" in line
    assert [spoken(30), spoken(3000), spoken(9000)] == [
        "about a minute",
        "about 50 minutes",
        "about 2.5 hours",
    ]


@pytest.mark.slow
def test_the_page_holds_what_the_command_writes_today(tmp_path):
    vocabulary()
    page = Path(shutil.copy(ROOT / "docs" / "colab_kaggle.md", tmp_path))
    assert main(["--profile", "t4", "--held-out", "40", "--into", str(page)]) == 0
    written = (ROOT / "docs" / "colab_kaggle.md").read_text(encoding="utf-8")
    assert page.read_text(encoding="utf-8") == written, "run the command that stands above the estimates"


def test_a_page_without_marks_is_refused_and_left_alone(tmp_path, capsys):
    vocabulary()
    (tmp_path / "page.md").write_text("nothing to fill")
    with pytest.raises(SystemExit) as stop:
        main(["--profile", "t4", "--train-tasks", "2", "--into", str(tmp_path / "page.md")])
    assert stop.value.code == 2 and "one pair of marks" in capsys.readouterr().err
    assert (tmp_path / "page.md").read_text() == "nothing to fill"
