"""Episodes side by side: who runs beside whom, who waits for whom, and whose chance is whose."""

import threading
from collections import Counter

import pytest
from scripted_agent import (
    ScriptedAgent,
    query,
    quietly,
)

from envs.retail.customer import STOP, ScriptedCustomer
from pipeline.agent import History
from pipeline.rollouts import stream


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_batch_changes_nothing_and_is_refilled(shop, tasks, gold, batch_size):
    agent = ScriptedAgent(gold)
    rollouts = quietly(agent, shop, tasks, batch_size=batch_size)
    alone = quietly(ScriptedAgent(gold), shop, tasks, batch_size=1)
    assert [one.completion_ids for one in rollouts] == [one.completion_ids for one in alone]
    sizes = [len(queries) for queries in agent.asked]
    waiting = sum(sizes) - sum(len(gold[task.query]) for task in tasks)
    assert waiting == 0, "every turn is asked for once, and none after an episode's end"
    begun = 0
    seen: set[str] = set()
    for queries in agent.asked:
        seen |= set(queries)
        begun = len(seen)
        assert len(queries) == batch_size or begun == len(tasks), "a free place although tasks are waiting"


def test_stream_gives_each_episode_as_it_ends_and_play_in_the_order_of_the_tasks(shop, tasks, gold):
    by_length = sorted(tasks, key=lambda task: -len(gold[task.query]))
    streamed = stream(ScriptedAgent(gold), shop, by_length, progress=False, batch_size=8)
    numbers = [one.number for one in streamed]
    assert numbers != sorted(numbers) and sorted(numbers) == list(range(len(tasks)))
    played = quietly(ScriptedAgent(gold), shop, by_length, batch_size=8)
    assert [one.number for one in played] == sorted(numbers)
    agent = ScriptedAgent(gold)
    next(stream(agent, shop, by_length, progress=False, batch_size=2))
    assert len({query for queries in agent.asked for query in queries}) == 2, "the others have not begun"


def test_turns_that_are_not_ready_are_asked_for_again(shop, tasks, gold):
    one_at_a_time = ScriptedAgent(gold, ready=lambda place: place == 0)
    rollouts = quietly(one_at_a_time, shop, tasks[:5], batch_size=3)
    assert all(rollout.episode.succeeded for rollout in rollouts)
    assert len(one_at_a_time.asked) == sum(len(gold[task.query]) for task in tasks[:5])


def test_slow_customers_answer_side_by_side(shop, tasks, gold):
    talkers = [task for task in tasks if "<|channel|>final" in gold[task.query][0]][:3]
    lock, asked, two_at_once = threading.Lock(), [], threading.Event()

    class Slow(ScriptedCustomer):
        def step(self, words):
            with lock:
                asked.append(self)
                if len(asked) > 1:
                    two_at_once.set()
            assert two_at_once.wait(timeout=30), "nobody else is asked before this one has answered"
            return STOP

    script = {task.query: gold[task.query][:1] for task in talkers}
    rollouts = quietly(ScriptedAgent(script), shop, talkers, customer=Slow, batch_size=len(talkers))
    assert [rollout.episode.ended for rollout in rollouts] == ["customer"] * 3


@pytest.mark.parametrize("one_by_one", [False, True])
def test_a_slow_customer_does_not_keep_the_others_waiting(shop, tasks, gold, one_by_one):
    talker, *others = sorted(tasks[:5], key=lambda task: "<|channel|>final" not in gold[task.query][0])
    others_are_through, lock, ended = threading.Event(), threading.Lock(), []

    class Customer(ScriptedCustomer):
        def step(self, words):
            if self.task is talker:
                assert others_are_through.wait(timeout=30), "the others waited for this answer"
            answer = super().step(words)
            with lock:
                ended.extend([self.task.id] if answer == STOP else [])
                if len(ended) == len(others):
                    others_are_through.set()
            return answer

        def reset(self, task):
            self.task = task
            return super().reset(task)

    agent = ScriptedAgent(gold)
    agent.one_by_one = one_by_one
    rollouts = quietly(agent, shop, [talker, *others], customer=Customer, batch_size=5)
    assert all(rollout.episode.succeeded for rollout in rollouts) and ended[-1] == talker.id


def test_an_agent_that_answers_one_by_one_plays_the_same_episodes(shop, tasks, gold):
    agent = ScriptedAgent(gold)
    together = quietly(agent, shop, tasks, batch_size=4, trials=2)
    agent.one_by_one = True
    by_themselves = quietly(agent, shop, tasks, batch_size=4, trials=2)
    assert [one.episode for one in by_themselves] == [one.episode for one in together]
    assert [one.transcript for one in by_themselves] == [one.transcript for one in together]


def test_episodes_that_nobody_waits_for_stop_at_their_next_turn(shop, tasks, gold):
    agent = ScriptedAgent(gold)
    agent.one_by_one = True
    left, written = threading.Event(), []
    write = agent.write

    def writing(histories):
        (history,) = histories
        if history.transcript[0].messages[-1].text != tasks[0].query:
            written.append(1)
            left.wait(timeout=30)
        return write(histories)

    agent.write = writing
    episodes = stream(agent, shop, tasks[:3], batch_size=3, progress=False)
    assert next(episodes).episode.task.id == tasks[0].id
    threading.Timer(0.05, left.set).start()
    episodes.close()  # waits for the turns that are being written, and for no more
    assert len(written) <= 2


def test_one_customer_alone_is_asked_where_the_loop_runs(shop, tasks, gold):
    class Person(ScriptedCustomer):
        def step(self, words):
            assert threading.current_thread() is threading.main_thread(), "a notebook could not ask here"
            return super().step(words)

    rollouts = quietly(ScriptedAgent(gold), shop, tasks[:2], customer=Person, batch_size=1)
    assert all(rollout.episode.succeeded for rollout in rollouts)


class Noting(ScriptedAgent):
    """Writes down each episode's chance."""

    def __init__(self, script):
        super().__init__(script)
        self.drawn: dict[
            int, tuple[History, list[float]]
        ] = {}  # histories are kept: a freed one's id comes again

    def turn(self, history):
        _, numbers = self.drawn.setdefault(id(history), (history, []))
        numbers.append(history.chance.random())
        return super().turn(history)

    @property
    def numbers(self):
        return Counter((query(history), tuple(numbers)) for history, numbers in self.drawn.values())


def test_chance_belongs_to_seed_task_and_trial(shop, tasks, gold):
    def drawn(tasks, **settings):
        agent = Noting(gold)
        rollouts = quietly(agent, shop, tasks, **settings)
        return agent.numbers, [(one.number, one.trial) for one in rollouts]

    some = tasks[:4]
    first, places = drawn(some, trials=3, batch_size=5)
    assert places == [(number, number % 3) for number in range(12)]
    assert len(first) == 12, "every trial has a chance of its own"
    assert drawn(some[::-1], trials=3, batch_size=1)[0] == first
    again, places = drawn([*some, *some, *some])
    assert again == first, "a task that comes again is another trial of it"
    assert places == [(number, number // 4) for number in range(12)]
    assert not drawn(some, trials=3, seed=1)[0].keys() & first.keys()
