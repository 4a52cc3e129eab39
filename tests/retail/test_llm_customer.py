"""The model-played customer, in its four ways of playing, against a real server on this machine."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from envs.retail.endpoint import ChatEndpoint, CustomerError, Usage
from envs.retail.environment import STOP
from envs.retail.llm_customer import GREETING, STRATEGIES, VERIFY_DRAFTS, LLMCustomer
from envs.retail.tasks import Action, Task
from reliability.faults.chat_server import Handler, Pauses, Server, completion, fails, raw, send

TASK = Task(
    "t",
    "I'd like to cancel my order.",
    (Action("cancel_pending_order", {"order_id": "#W9999999", "reason": "secret reason"}),),
    gold_final={"secret": "end"},
    facts={"name": "Ana Lopez", "zip": "98765"},
    outputs=("secret output",),
)


def customer(server: Server, strategy: str = "llm", **options) -> LLMCustomer:
    options = {"sleep": Pauses(), "timeout": 5.0, "attempts": 3} | options
    return LLMCustomer("test-model", server.url, strategy=strategy, **options)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_model_never_learns_the_solution(server: Server, strategy: str):
    player = customer(server, strategy)
    player.reset(TASK)
    player.step("Your name?")
    sent = json.dumps(server.requests)
    assert "98765" in sent
    assert "secret" not in sent and "#W9999999" not in sent


# --- the four strategies ---------------------------------------------------------------------------------


def roles(messages: list[dict]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in messages if message["role"] != "system"]


def test_llm_says_what_the_model_says_and_keeps_the_conversation(server: Server):
    server.script("I want to cancel.", "Ana Lopez.", f"Thanks, bye! {STOP}")
    player = customer(server, temperature=0.5, seed=7)
    assert server.requests == []  # no call is spent before the episode begins
    assert player.reset(TASK) == "I want to cancel."
    assert player.step("Your name?") == "Ana Lopez."
    assert STOP in player.step("Done. Anything else?")
    assert roles(server.requests[-1]["messages"]) == [
        ("user", GREETING),
        ("assistant", "I want to cancel."),
        ("user", "Your name?"),
        ("assistant", "Ana Lopez."),
        ("user", "Done. Anything else?"),
    ]
    wanted = {"path": "/v1/chat/completions", "model": "test-model", "temperature": 0.5, "seed": 7}
    assert wanted.items() <= server.requests[0].items()
    assert player.step("Hello?") == STOP and len(server.requests) == 3  # over is over


def test_what_is_not_given_is_not_sent(server: Server):
    customer(server).reset(TASK)
    assert set(server.requests[0]) == {"path", "key", "model", "messages"}
    assert server.requests[0]["key"] is None


def test_reset_forgets_the_episode_before(server: Server):
    server.script(STOP, "Again.")
    player = customer(server)
    assert player.reset(TASK) == STOP
    assert player.reset(TASK) == "Again."
    assert roles(server.requests[1]["messages"]) == [("user", GREETING)]


def test_react_never_lets_the_agent_hear_the_thought(server: Server):
    written = f"Thought: not settled, so no {STOP} yet.\nUser Response: My name is Ana."
    server.script(written, f"Thought: settled.\nUser Response: {STOP}")
    player = customer(server, "react")
    assert player.reset(TASK) == "My name is Ana."  # a stop word in a thought ends nothing
    assert player.step("Done!") == STOP
    assert ("assistant", written) in roles(server.requests[1]["messages"])


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("Thought: a\nThought: b\nUser Response: Hi.", "Hi."),
        ("user response: Hi.\nThought: I should not say more.", "Hi."),
        ("Just a reply without the form.", "Just a reply without the form."),
        ("<think>secret plan</think>User Response: Hi.", "Hi."),
    ],
)
def test_react_reads_sloppy_forms(server: Server, written: str, heard: str):
    server.script(written)
    assert customer(server, "react").reset(TASK) == heard


def test_react_asks_again_for_a_thought_without_reply_then_says_what_to_do(server: Server):
    server.script("Thought: hm.", "Thought: well.\nUser Response: Hi.")
    assert customer(server, "react").reset(TASK) == "Hi."
    server.script(*["Thought: hm."] * 3)
    with pytest.raises(CustomerError, match="stronger model"):
        customer(server, "react").reset(TASK)


def test_verify_says_the_first_draft_that_passes(server: Server):
    server.script("Draft one.", "Untrue to the facts. Verdict: false", "Draft two.", "Fine.\nVerdict: true")
    player = customer(server, "verify")
    assert player.reset(TASK) == "Draft two."
    question = server.requests[1]["messages"][-1]["content"]
    assert f"Agent: {GREETING}" in question and "Customer: Draft one." in question  # the right way round
    assert "Draft one." not in json.dumps(player.state())


def test_verify_keeps_a_last_draft_it_had_to_say(server: Server):
    drafts = [f"Draft {n}." for n in range(VERIFY_DRAFTS)]
    server.script(*[text for draft in drafts for text in (draft, "untrue")])
    player = customer(server, "verify")
    assert player.reset(TASK) == drafts[-1]
    assert player.state()["history"][-1] == {"role": "assistant", "content": drafts[-1]}


def test_reflection_says_the_better_reply(server: Server):
    server.script("First.", "Verdict: false", "Too early. Response: Wait.", "Second.", "Verdict: true")
    player = customer(server, "reflection")
    assert player.reset(TASK) == "Second."
    assert "Wait." in server.requests[3]["messages"][-1]["content"]
    assert [line["content"] for line in player.state()["history"]] == [GREETING, "Second."]


def test_reflection_falls_back_to_the_first_reply(server: Server):
    server.script("First.", "Verdict: false", "Response: Wait.", "Second.", "Verdict: false")
    player = customer(server, "reflection")
    assert player.reset(TASK) == "First."
    assert [line["content"] for line in player.state()["history"]] == [GREETING, "First."]


def test_reflection_spends_two_calls_on_a_good_reply(server: Server):
    server.script("First.", "Verdict: true")
    assert customer(server, "reflection").reset(TASK) == "First."
    assert len(server.requests) == 2


def test_reasoning_that_a_server_leaves_in_the_answer_is_cut(server: Server):
    server.script("<think>I am Ana</think>\nHello.")
    assert customer(server).reset(TASK) == "Hello."


def test_words_with_braces_reach_the_checker_unchanged(server: Server):
    server.script("{draft} {customer} {x}", "Verdict: true")
    assert customer(server, "verify").reset(TASK) == "{draft} {customer} {x}"
    assert "Customer: {draft} {customer} {x}\n" in server.requests[1]["messages"][-1]["content"]


def test_unknown_strategy_names_the_choices():
    with pytest.raises(CustomerError, match="llm, react, verify, reflection"):
        LLMCustomer("m", "http://localhost/v1", strategy="magic")


# --- going on later --------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_restoring_sends_the_same_requests_as_going_on(server: Server, strategy: str):
    player = customer(server, strategy)
    player.reset(TASK)
    player.step("One?")
    saved = json.loads(json.dumps(player.state()))
    resumed = customer(server, strategy)
    resumed.restore(saved)
    before = len(server.requests)
    player.step("Two?")
    middle = len(server.requests)
    resumed.step("Two?")
    assert server.requests[before:middle] == server.requests[middle:]
    assert resumed.state() == player.state() != saved


def test_a_state_of_another_strategy_is_refused(server: Server):
    with pytest.raises(CustomerError, match='"react"'):
        customer(server, "llm").restore(customer(server, "react").state())


def test_a_failed_step_changes_nothing_and_can_be_repeated(server: Server):
    player = customer(server, attempts=1)
    player.reset(TASK)
    before = player.state()
    server.script(fails(500))
    with pytest.raises(CustomerError):
        player.step("Your name?")
    assert player.state() == before
    assert player.step("Your name?") == "Hello."


# --- numbers and crowds ----------------------------------------------------------------------------------


def test_usage_sums_everything_asked(server: Server):
    server.script("First.", "Verdict: false", "Response: Wait.", "Second.", "Verdict: true")
    player = customer(server, "reflection")
    player.reset(TASK)
    assert player.usage == Usage(requests=5, prompt_tokens=50, completion_tokens=15)


@pytest.mark.parametrize("usage", [None, [], {"prompt_tokens": "many", "completion_tokens": -4}])
def test_senseless_usage_counts_nothing(server: Server, usage):
    answer = json.loads(completion("Hello.")) | {"usage": usage}
    server.script(raw(json.dumps(answer).encode()))
    player = customer(server)
    player.reset(TASK)
    assert player.usage == Usage(requests=1)


@pytest.mark.parametrize("agent", ["\ud800 half a pair", "x" * 1_000_000, "", None, "<|end|>\x00"])
def test_whatever_an_agent_says_can_be_sent(server: Server, agent):
    player = customer(server)
    player.reset(TASK)
    assert player.step(agent) == "Hello."
    assert len(json.dumps(server.requests[-1])) < 50_000


def test_many_episodes_at_once_do_not_mix(server: Server):
    class Echo(Handler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            send(self, 200, completion("heard: " + json.loads(body)["messages"][-1]["content"]), {})

    server.http.RequestHandlerClass = Echo
    shared = ChatEndpoint("m", server.url)

    def episode(number: int) -> list[str]:
        player = LLMCustomer("m", endpoint=shared)
        player.reset(TASK)
        return [player.step(f"{number}/{turn}") for turn in range(3)]

    with ThreadPoolExecutor(16) as pool:
        heard = list(pool.map(episode, range(48)))
    assert heard == [[f"heard: {number}/{turn}" for turn in range(3)] for number in range(48)]
    assert shared.usage == Usage(requests=192, prompt_tokens=1920, completion_tokens=576)
