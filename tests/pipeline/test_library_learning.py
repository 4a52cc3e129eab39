"""The library's tasks are learned from as the shop's are: rows, prompts, the reward's account, evaluation."""

import json

import pytest
from scripted_agent import CHARACTERS, ScriptedAgent, encode, gold_turns

from envs.library import DOMAIN, LIBRARY, library_tasks
from envs.retail.tasks import Action, Task
from pipeline.attacks.attack import turn, turns
from pipeline.datasets import grpo_prompts, sft_rows, system_messages, tokenized
from pipeline.demonstrations import NotDemonstrable, demonstrate
from pipeline.evaluate import evaluate, evaluation_files, rescore
from pipeline.grpo_desks import account, tool_desk
from pipeline.harmony import Final, User, render
from pipeline.plan import render_plan
from pipeline.rewards import PROFILES, best_score, score
from pipeline.rollouts import play

TASKS = library_tasks()
BY_ID = {task.id: task for task in TASKS}
LEND, REFUSE = BY_ID["lend_book B1 M2"], BY_ID["B1 M3"]
ALL = dict.fromkeys(PROFILES, 1.0)


def characters(text, add_special_tokens=False):
    return {"input_ids": list(encode(text))}


def test_rows_train_the_agents_own_words_only():
    rows, report = sft_rows(LIBRARY, TASKS, tokenizer=characters, max_length=10**6, rows="episode")
    assert report.kept == len(TASKS) and not report.not_demonstrable
    for task, row in zip(TASKS, rows, strict=True):
        trained = "".join(piece.text for piece in row.pieces if piece.trained)
        assert trained == "".join(gold_turns(LIBRARY, task))
        assert row.text.startswith(render(system_messages("agent", domain=DOMAIN)))
        ids, mask = tokenized(row, characters).values()
        assert [one for one, kept in zip(ids, mask, strict=True) if kept] == list(encode(trained))
        assert "I cannot do this" not in trained
    steps, _ = sft_rows(LIBRARY, TASKS, tokenizer=characters, max_length=10**6)
    assert len(steps) == sum(len(task.gold_actions) + 1 for task in TASKS)


def test_an_episode_in_tokens_is_the_row_that_the_warm_up_trains():
    rows, _ = sft_rows(LIBRARY, TASKS, tokenizer=characters, max_length=10**6, rows="episode")
    agent = ScriptedAgent.of(lambda task: gold_turns(LIBRARY, task), TASKS)
    for row, rollout in zip(rows, play(agent, LIBRARY, TASKS, progress=False), strict=True):
        ids, mask = tokenized(row, characters).values()
        assert rollout.prompt_ids + rollout.completion_ids == ids and rollout.episode.succeeded
        assert [0] * len(rollout.prompt_ids) + rollout.env_mask == mask


def test_what_nobody_told_is_no_demonstration():
    blind = Task(
        "blind",
        "I am M2. Please lend me a book.",
        (LEND.gold_actions[0], Action("lend_book", {"member_id": "M2", "book_id": "B1"})),
    )
    with pytest.raises(NotDemonstrable, match=r"blind: lend_book\.book_id stands neither in the query"):
        demonstrate(LIBRARY, blind)


def test_prompts_and_tools_for_reinforcement_learning():
    row = grpo_prompts([LEND], domain=DOMAIN)[0]
    assert [message["content"] for message in row["prompt"]] == [DOMAIN.policy, LEND.query]
    desk = tool_desk(LIBRARY)()
    desk.reset(task=row["task"])
    assert {name for name in dir(desk) if not name.startswith("_")} == {"reset", *DOMAIN.tools}
    assert desk.find_book(title="Salt Roads").startswith("B1: ")
    assert json.loads(desk.lend_book(member_id="M2", book_id="B1"))["lent_to"] == "M2"


@pytest.mark.parametrize("way", ["tools", "plan"])
def test_the_account_that_the_reward_gets_from_an_episodes_tokens(way):
    desk = tool_desk(LIBRARY)()
    for task in TASKS:
        desk.reset(task=json.dumps(task.to_json()))
        if way == "plan":
            ids = encode(turn(Final(render_plan(task.gold_actions))))
        else:
            told = render([*(system := system_messages("agent", domain=DOMAIN)), User(task.query)])
            whole = render([*system, *demonstrate(LIBRARY, task).messages])
            ids = encode(whole.removeprefix(f"{told}<|start|>assistant"))
        episode = account(way, desk, ids, CHARACTERS)
        assert episode.succeeded and score(episode, ALL).profiles["tool_level"] == best_score(
            "tool_level", task
        )


def test_it_is_evaluated_recorded_and_scored_again(tmp_path):
    script = {task.query: gold_turns(LIBRARY, task) for task in TASKS}
    script[LEND.query] = turns([], "I cannot find it.")
    script[REFUSE.query] = turns(REFUSE.gold_actions, "You owe something.")
    agent = ScriptedAgent(script)
    played = evaluate(agent, LIBRARY, TASKS, tmp_path, stage="mine", progress=False)
    assert {one.task: one.failure for one in played if one.failure} == {
        LEND.id: "forgot a write",
        REFUSE.id: "told the customer wrong",
    }
    again = rescore(evaluation_files(tmp_path, "mine"), LIBRARY)
    assert again.played == played and (again.answered_otherwise, again.lost_or_won) == (0, 0)
