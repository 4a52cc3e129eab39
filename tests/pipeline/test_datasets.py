"""From tasks to training rows: what is trained, what is left out, and that it says what the gold says."""

import json
from collections import Counter
from itertools import islice

import pytest

from envs.retail.generator import generate
from envs.retail.tasks import Action, Task
from envs.retail.tools import READ, TOOLS
from pipeline import harmony
from pipeline.config import resolve
from pipeline.datasets import (
    grpo_prompts,
    plannable_actions,
    real_vocabulary,
    sft_rows,
    system_messages,
    token_counter,
    tokenized,
)
from pipeline.demonstrations import NotDemonstrable, demonstrate
from pipeline.harmony import Analysis, Call, Final, ToolResult, User, render
from pipeline.harmony_parse import parse, parse_transcript
from pipeline.plan import parse_plan_turn
from pipeline.task_sets import tasks_for


@pytest.fixture(scope="module")
def tasks(shop) -> list[Task]:
    return list(islice(generate(shop, seed=5, levels=(1, 2, 3, 4, 5)), 40))


def characters(text: str, add_special_tokens: bool = False) -> dict[str, list[int]]:
    """A tokenizer whose tokens are characters."""
    return {"input_ids": list(map(ord, text))}


def trained(row) -> str:
    return "".join(piece.text for piece in row.pieces if piece.trained)


def test_a_demonstration_makes_the_gold_calls_in_order_and_earns_the_reward(shop, tasks):
    for task in tasks:
        demonstration = demonstrate(shop, task)
        calls = [Action(m.name, m.arguments) for m in demonstration.messages if isinstance(m, Call)]
        assert calls == list(task.gold_actions)
        assert demonstration.episode.score().reward == 1.0
        assert isinstance(demonstration.messages[-1], Final | Call), "the agent has the last word"


def test_withheld_facts_are_asked_for_before_they_are_used(shop, tasks):
    asked = [task for task in tasks if "identity" in task.extra.get("finds", ())]
    assert asked, "the sample should hold tasks that withhold who the customer is"
    for task in asked:
        first, second = demonstrate(shop, task).messages[1:3]
        assert isinstance(first, Final) and isinstance(second, User)
        assert any(fact in second.text for fact in (task.facts.get("email"), task.facts.get("zip")) if fact)


def test_a_task_that_cannot_be_solved_is_no_demonstration(shop):
    order = next(iter(shop.orders))
    look = Action("get_order_details", {"order_id": order})
    with pytest.raises(NotDemonstrable, match=r"x: ended by customer, never told \('12\.34',\)"):
        demonstrate(shop, Task("x", "Hello", (look,), outputs=("12.34",)))  # nobody knows the order
    with pytest.raises(NotDemonstrable, match="y: ended by steps"):
        demonstrate(shop, Task("y", "Hello", (Action("think", {"thought": ""}),) * 101))


@pytest.mark.parametrize("thoughts", [False, True])
def test_a_step_row_trains_exactly_the_agents_next_turn(shop, tasks, thoughts):
    rows, report = sft_rows(shop, tasks, tokenizer=characters, max_length=10**6, thoughts=thoughts)
    assert report.kept == len(rows) > 100 and not report.not_demonstrable
    for row in rows:
        turn = trained(row)
        assert row.text.endswith(turn) and parse(turn, TOOLS).well_formed
        assert turn.startswith("<|channel|>analysis") == thoughts or "<|channel|>final" in turn
    finals = sum(parse(trained(row), TOOLS).final is not None for row in rows)
    messages = [m for task in tasks for m in demonstrate(shop, task).messages]
    assert finals == sum(isinstance(message, Final) for message in messages)


def test_an_episode_row_trains_the_same_as_its_step_rows(shop, tasks):
    steps, _ = sft_rows(shop, tasks, tokenizer=characters, max_length=10**6, thoughts=True)
    episodes, _ = sft_rows(shop, tasks, tokenizer=characters, max_length=10**6, thoughts=True, rows="episode")
    assert len(episodes) == len(tasks)
    for episode in episodes:
        parts = [row for row in steps if row.task_id == episode.task_id]
        assert "".join(map(trained, parts)) == trained(episode) and parts[-1].text == episode.text


def test_no_tool_answer_and_no_prompt_is_trained_on_the_real_vocabulary(shop, tasks):
    encoding = pytest.importorskip("openai_harmony") and real_vocabulary()

    def tokenizer(text, add_special_tokens=False):
        return {"input_ids": encoding.encode(text, allowed_special="all")}

    settings = {"tokenizer": encoding, "max_length": 10**6, "thoughts": True, "rows": "episode"}
    rows, report = sft_rows(shop, tasks[:10], **settings)
    for row, task in zip(rows, tasks[:10], strict=True):
        ids = tokenized(row, tokenizer)
        assert report.lengths[f"{task.id}/0"] == len(ids["input_ids"])
        assert ids["input_ids"] == encoding.encode(row.text, allowed_special="all"), "pieces meet at tokens"
        pairs = zip(ids["input_ids"], ids["completion_mask"], strict=True)
        text = encoding.decode([token for token, mask in pairs if mask])
        demonstration = demonstrate(shop, task, thoughts=True)
        calls = [m for m in demonstration.messages if isinstance(m, Call)]
        assert text.count("<|call|>") == len(calls)
        assert text.count("<|return|>") == sum(isinstance(m, Final) for m in demonstration.messages)
        for message in demonstration.messages:
            if isinstance(message, ToolResult | User) and len(message.text) > 40:
                assert message.text not in text
        for call in calls:
            assert json.dumps(call.arguments, ensure_ascii=False) in text


def test_a_message_that_many_rows_share_is_counted_once(shop, tasks):
    counted = Counter()

    def counting(text, add_special_tokens=False):
        counted[text] += 1
        return characters(text)

    rows, report = sft_rows(shop, tasks[:10], tokenizer=counting, max_length=10**6, rows="step")
    assert report.lengths == {row.name: len(row.text) for row in rows}
    assert set(counted.values()) == {1} and len(rows) > 30
    assert sum(map(len, counted)) < sum(len(row.text) for row in rows) / 5


@pytest.mark.parametrize("mode", ["agent", "plan"])
def test_what_all_rows_begin_with_is_rendered_once(shop, tasks, mode, monkeypatch):
    rendered = []
    text = harmony._developer_text
    monkeypatch.setattr(harmony, "_developer_text", lambda message: rendered.append(1) or text(message))
    rows, _ = sft_rows(shop, tasks[:10], mode=mode, tokenizer=characters, max_length=10**6)
    assert len(rendered) == 1 < len(rows)
    opening = render(system_messages(mode))
    assert all(row.text.startswith(f"{opening}<|start|>user<|message|>") for row in rows)


def test_rows_too_long_are_reported_and_dropped_never_cut(shop, tasks):
    everything, _ = sft_rows(shop, tasks, tokenizer=characters, max_length=10**6)
    limit = sorted(len(row.text) for row in everything)[len(everything) // 2]
    kept, report = sft_rows(shop, tasks, tokenizer=characters, max_length=limit)
    assert {row.text for row in kept} == {row.text for row in everything if len(row.text) <= limit}
    assert len(report.too_long) == len(everything) - len(kept) > 0 and "too long" in str(report)
    looked, again = sft_rows(shop, tasks, tokenizer=characters, max_length=limit, too_long="keep")
    assert len(looked) == len(everything) and again.too_long == report.too_long


def test_a_plan_row_holds_what_can_be_planned_and_leads_to_the_same_end(shop):
    simple = list(islice(generate(shop, seed=5, levels=(1, 2)), 40))
    rows, report = sft_rows(shop, simple, mode="plan", tokenizer=characters, max_length=10**6)
    assert len(rows) == len(simple) and not report.not_demonstrable
    for row, task in zip(rows, simple, strict=True):
        plan = parse_plan_turn(trained(row), TOOLS)
        assert plan.ok and [c.arguments for c in plan.calls] == [a.arguments for a in plannable_actions(task)]
        writes = [a for a in task.gold_actions if TOOLS[a.name].kind != READ]
        assert [a for a in plannable_actions(task) if TOOLS[a.name].kind != READ] == writes


def test_what_cannot_be_planned_from_the_query_is_said(shop, tasks):
    _, report = sft_rows(shop, tasks, mode="plan", tokenizer=characters, max_length=10**6)
    assert any("cannot be planned from the query" in reason for reason in report.not_demonstrable)
    refused = {reason.split(":")[0] for reason in report.not_demonstrable}
    hidden = [task for task in tasks if task.id in refused]
    rows, report = sft_rows(shop, hidden, mode="plan", tokenizer=characters, max_length=10**6)
    assert not rows and "no rows" in str(report) and report.not_demonstrable[0] in str(report)


def test_the_transcript_of_an_episode_reads_back_strictly(shop, tasks):
    for task in tasks[:10]:
        demonstration = demonstrate(shop, task)
        text = render([*system_messages("agent"), *demonstration.messages])
        start = text.index("<|start|>assistant") + len("<|start|>assistant")
        turns = parse_transcript(text[start:], TOOLS)
        assert all(turn.well_formed for turn in turns)
        assert [t.call.arguments for t in turns if t.call] == [a.arguments for a in task.gold_actions]


def test_grpo_prompts_carry_the_task_and_the_same_instructions(tasks):
    for mode in ("agent", "plan"):
        prompts = grpo_prompts(tasks, mode=mode)
        for prompt, task in zip(prompts, tasks, strict=True):
            assert Task.from_json(json.loads(prompt["task"])) == task
            developer, user = prompt["prompt"]
            assert user["content"] == task.query
            assert developer["content"] in render(system_messages(mode))


def test_the_real_vocabulary_counts_special_tokens_as_one():
    encoding = pytest.importorskip("openai_harmony") and real_vocabulary()
    assert token_counter(encoding)("<|start|>assistant<|channel|>final<|message|>hi<|return|>") == 7


def test_a_share_of_the_demonstrations_keeps_the_answer_to_itself(shop):
    tasks = [task for task in islice(generate(shop, seed=11, levels=(1,)), 120) if task.outputs]
    for task in tasks:
        told, kept = (demonstrate(shop, task, tells=tells) for tells in (True, False))
        assert told.episode.score().reward == 1.0
        assert kept.episode.score().missing_outputs == task.outputs and kept.episode.ended == "customer"
        calls = [[turn.action for turn in one.episode.calls] for one in (told, kept)]
        assert calls[0] == calls[1], "they differ in words only"
        thoughts = [[m for m in one.messages if isinstance(m, Analysis)] for one in (told, kept)]
        assert thoughts[0] == thoughts[1] and len(thoughts[0]) > 0, "and think the answer alike"
        assert all(output in thoughts[1][0].text for output in task.outputs)
    settings = {"tokenizer": characters, "max_length": 10**9, "rows": "episode"}
    for share in (0.0, 0.3, 1.0):
        rows, _ = sft_rows(shop, tasks, tells=share, **settings)
        silent = sum("I have looked it up." in row.text for row in rows) / len(rows)
        assert abs(silent - (1 - share)) < (0.15 if 0 < share < 1 else 1e-9)


def test_an_answer_is_named_as_the_record_names_it(shop):
    task = next(task for task in generate(shop, seed=11, levels=(1,)) if task.extra["family"] == "tracking")
    words = demonstrate(shop, task).messages[-1].text
    assert words.startswith(f"The tracking id is {task.outputs[0]}.")


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_split_has_as_many_tasks_as_its_setting_says(shop, split):
    """`pipeline.evaluate run` names no number: the setting of the split's name decides."""
    config = resolve("tiny", environ={}, **{f"{split}_tasks": 30})
    tasks = tasks_for(shop, config, split)
    assert len(tasks) == 30 and {task.split for task in tasks} == {split}
