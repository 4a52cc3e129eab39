"""The reward as verl calls it: the project's own numbers, from what was carried out and from nothing else."""

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verl_samples import ROOT, called, gold_messages, gold_turns, rollout_of, task_at, tasks

from envs.retail.tasks import Task
from pipeline.rewards import PROFILES, score
from scaleout.verl.account import EPISODE, MESSAGES, account, episode_of, told_by, unread
from scaleout.verl.reward import compute_score

METRICS = ("task_success_rate", "tool_parse_success_rate", "avg_tool_calls")


def truth(task: Task) -> str:
    return json.dumps(task.to_json())


def rewarded(task: Task, extra: dict | None, **options) -> dict[str, float]:
    return compute_score("retail", "stripped text", truth(task), extra, **options)


def spoilt(task: Task) -> list[list[str]]:
    """Turns that are not the gold ones: cut short, said twice, unreadable, made up."""
    gold = gold_turns(task)
    made_up = " to=functions.refund_everything<|channel|>commentary json<|message|>{}<|call|>"
    return [gold[:1], gold[:-1], [*gold[:1], *gold], [gold[0][:-8]], [made_up, *gold], ["<|channel|>final"]]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_each_profile_is_the_projects_own_number(profile, level):
    task = task_at(level)
    for turns in [gold_turns(task), *spoilt(task)]:
        rollout = rollout_of(task, turns)
        for weight, normalise in ((1.0, True), (2.0, False)):
            found = rewarded(
                task, {EPISODE: account(rollout)}, reward=[f"{profile}:{weight}"], normalise=normalise
            )
            assert found["score"] == score(rollout.episode, {profile: weight}, normalise=normalise).total
        assert found["task_success_rate"] == rollout.episode.succeeded
        assert found["avg_tool_calls"] == len(rollout.episode.calls)


def test_gold_earns_everything_and_silence_nothing():
    for task in tasks()[:20]:
        gold = rewarded(task, {EPISODE: account(rollout_of(task, gold_turns(task)))}, reward=["outcome"])
        assert gold["score"] == 1.0 and gold["task_success_rate"] == gold["tool_parse_success_rate"] == 1.0
        assert rewarded(task, {MESSAGES: []}, reward=["outcome"])["score"] == 0.0


def test_the_metrics_are_the_same_names_for_every_rollout_because_verl_reads_the_first_ones():
    task = task_at(3)
    kinds = [{EPISODE: account(rollout_of(task, turns))} for turns in [gold_turns(task), *spoilt(task)]]
    names = {tuple(rewarded(task, extra)) for extra in [*kinds, {MESSAGES: gold_messages(task)}]}
    assert len(names) == 1 and {*METRICS, "score", "account_missing"} <= set(*names)


def test_an_account_cannot_claim_what_was_not_done():
    task = task_at(4)
    failed = json.loads(account(rollout_of(task, gold_turns(task)[:1])))
    forged = failed | {"succeeded": True, "changed": failed["gold_changed"], "gold_changed": []}
    forged["turns"] = [turn | {"failed": False, "answer": "Everything was done."} for turn in failed["turns"]]
    easy = Task("easy", "Nothing, thank you.", ())
    for claim in (forged, forged | {"task": easy.to_json()}):
        assert rewarded(task, {EPISODE: json.dumps(claim)}) == rewarded(task, {EPISODE: json.dumps(failed)})


def test_a_missing_account_is_said_and_not_guessed_at():
    task = task_at(2)
    with pytest.warns(UserWarning, match="retail_agent or retail_tools"):
        found = compute_score("retail", gold_turns(task)[0], truth(task), {"num_turns": 2})
    assert (found["task_success_rate"], found["avg_tool_calls"], found["account_missing"]) == (0, 0, 1)


def test_what_verl_passes_besides_is_left_alone_and_an_unknown_profile_is_said():
    task = task_at(1)
    extra = {
        EPISODE: account(rollout_of(task, gold_turns(task))),
        "num_turns": 7,
        "rollout_reward_scores": {},
    }
    plain = rewarded(task, extra)
    assert rewarded(task, extra, reward_router_address="host:1", reward_model_tokenizer=None) == plain
    with pytest.raises(ValueError, match="no reward profile 'outcom'"):
        rewarded(task, extra, reward=["outcom"])


# the conversation of verl's own loop


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_gold_calls_in_verls_own_conversation_solve_the_task(level):
    for number in range(5):
        task = task_at(level, number)
        found = rewarded(task, {MESSAGES: gold_messages(task)}, reward=["outcome"])
        assert (found["score"], found["avg_tool_calls"]) == (1.0, len(task.gold_actions))


def writing_task() -> Task:
    return next(t for t in tasks() if t.gold_final and not any("transfer" in a.name for a in t.gold_actions))


def test_a_conversation_without_last_words_was_broken_off():
    episode = told_by(task := writing_task(), gold_messages(task, last=None)).episode
    assert (episode.ended, episode.succeeded) == ("budget", False)


@pytest.mark.parametrize(
    ("words", "verdict"),
    [(unread("bad_json", "not JSON: x"), "bad_json"), ('<tool_call>{"name": </tool_call>', "bad_json")],
)
def test_words_that_the_parser_refused_are_no_message_to_the_customer(words, verdict):
    messages = [*gold_messages(task := writing_task(), last=None), {"role": "assistant", "content": words}]
    episode = told_by(task, messages).episode
    assert (episode.ended, episode.messages, episode.succeeded) == ("unparsable", (), False)
    assert [attempt.verdict for attempt in episode.unread] == [verdict]


def test_a_made_up_tool_and_arguments_that_are_no_object_count_as_violations():
    task = writing_task()
    for bad in (called("refund_everything", {}), called("get_order_details", '["#W1"]')):
        messages = gold_messages(task)
        messages[2:2] = [bad, {"role": "tool", "content": "…"}]
        assert rewarded(task, {MESSAGES: messages}, reward=["shaped"])["shaped/violation"] == -1


def test_no_tool_speaks_to_the_customer():
    task = writing_task()
    messages = gold_messages(task)
    messages[2:2] = [called("respond", {"content": "All done. ###STOP###"}), {"role": "tool", "content": "…"}]
    episode = told_by(task, messages).episode
    assert len(episode.messages) == 1 and len(episode.calls) == len(task.gold_actions) + 1


def test_what_comes_after_the_hand_over_is_not_done():
    task = next(t for t in tasks() if any("transfer" in action.name for action in t.gold_actions))
    write = next(t for t in tasks() if t.gold_final).gold_actions[-1]
    messages = gold_messages(task, last=None)
    alone = told_by(task, messages).episode
    more = told_by(task, [*messages, called(write.name, write.arguments), {"role": "tool", "content": ""}])
    assert alone.ended == more.episode.ended == "transfer" and alone.turns == more.episode.turns


NAMES = st.sampled_from(["get_order_details", "transfer_to_human_agents", "respond", "refund", "think"])
DICTS = st.dictionaries(st.sampled_from(["order_id", "thought", "summary", "content"]), st.text(max_size=8))
ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner) | DICTS
)
SAID = st.text(max_size=12) | st.just("<tool_call>{") | st.just(unread("truncated", "…"))
MESSAGE = st.one_of(
    st.builds(called, NAMES, ANYTHING),
    st.builds(lambda words: {"role": "assistant", "content": words}, SAID | st.none()),
    st.just({"role": "tool", "content": "…"}),
    st.just({"role": "user", "content": "?"}),
)


@settings(max_examples=60)
@given(st.lists(MESSAGE, max_size=6))
def test_any_conversation_is_scored_and_ends_once(messages):
    task = writing_task()
    episode = told_by(task, messages).episode
    assert episode.ended in ("customer", "transfer", "budget", "unparsable")
    assert len(episode.turns) == sum(attempt.turn is not None for attempt in episode.attempts)
    found = rewarded(task, {MESSAGES: messages}, reward=list(PROFILES))
    assert all(isinstance(value, float | int) and abs(value) < 100 for value in found.values())
    assert found["task_success_rate"] == 0, "none of these does the gold actions"


def test_the_module_that_verl_imports_loads_neither_verl_nor_torch():
    code = (
        "from scaleout.verl import check, export, lengths, results, reward; import sys; print(*sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in found.stdout.split()}
    assert loaded.isdisjoint({"verl", "torch", "transformers", "ray", "hydra", "pandas", "pyarrow"})


def test_no_account_at_all_is_no_episode():
    assert episode_of(task_at(1), {}) is episode_of(task_at(1), None) is None
