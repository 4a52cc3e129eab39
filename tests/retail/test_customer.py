"""The scripted customer tells its facts and nothing else, and finds an end."""

import json
import re

import pytest
from agent_sentences import EMAIL, FACTS, ITEMS, QUERY, SENTENCES, YES, customer
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.retail.customer import MAX_TURNS, PATIENCE, ScriptedCustomer
from envs.retail.environment import STOP
from envs.retail.tasks import Task


def test_first_words_are_the_query():
    assert ScriptedCustomer().reset(Task("t", QUERY, (), facts=FACTS)) == QUERY


def test_same_question_gets_the_same_facts_again():
    scripted = customer(**FACTS)
    asked = "Could you tell me your name and zip code?"
    assert scripted.step(asked) == scripted.step(asked) == "My name is Ana Lopez and my zip code is 98765."


def test_several_orders_are_all_named():
    scripted = customer(order_ids=["#W1111111", "#W2222222"])
    assert scripted.step("What are the order numbers?") == "My order numbers are #W1111111 and #W2222222."


def test_a_whole_conversation():
    scripted = customer(**FACTS)
    replies = [
        scripted.step(text)
        for text in (
            "I can help with that! Could you give me your email, please?",
            "Thank you, Ana. Which order should be cancelled, and what is the reason?",
            "I will cancel #W1234567 (no longer needed); the refund goes to PayPal. Do you confirm (yes/no)?",
            "Your order #W1234567 has been cancelled. Is there anything else I can help you with?",
        )
    ]
    assert replies == [
        "My email is ana.lopez1111@example.com.",
        "My order number is #W1234567. The reason is: no longer needed.",
        "Yes, please go ahead.",
        STOP,
    ]


def test_says_what_the_query_told_when_the_facts_lack_it():
    query = "Cancel order #W7654321, it was a mistake. My name is Bo Li, zip 54321."
    for question in ("What is the order number?", "What is the reason?", "Your name and zip code?"):
        assert customer(query).step(question) == f"As I said: {query}"
    assert customer(query).step("What is your email?") == "I don't have my email at hand."


def test_does_not_know_what_nobody_told_it():
    reply = customer().step("Please provide your email, zip code, the order number and the new address.")
    assert reply == "I don't have my email, order number or address at hand."
    assert customer().step("Which payment method?") == "I have no preference about the payment method."


def test_answers_no_with_its_note():
    scripted = customer(confirm="no", confirm_note="I have changed my mind.")
    assert scripted.step("Do you confirm (yes/no)?") == "No, please do not do that. I have changed my mind."
    assert scripted.step("Understood, I won't cancel it. Anything else?") == STOP


def test_confirm_may_be_words_of_its_own():
    reply = customer(confirm="Only if the refund is immediate.").step("Shall I cancel order #W1234567?")
    assert reply == "Only if the refund is immediate."


FALLBACK = "If blue is not available, take green."
WISH = "Please also tell me the total refund."


def test_a_fallback_is_told_after_a_refusal_and_not_after_a_success():
    refusal = "Unfortunately, the blue one is out of stock. Which other color would you like?"
    assert customer(**FACTS, preferences=[FALLBACK]).step(refusal) == FALLBACK
    done = "Your exchange has been requested. Is there anything else?"
    assert customer(**FACTS, preferences=[FALLBACK]).step(done) == STOP


def test_a_fallback_is_told_to_who_asks_what_else_is_wanted_before_anything_is_done():
    assert customer(**FACTS, preferences=[FALLBACK]).step("Is there anything else?") == FALLBACK


def test_wishes_are_told_one_by_one_then_it_ends():
    scripted = customer(**FACTS, preferences=[FALLBACK, WISH])
    assert scripted.step("The order has been cancelled. Anything else?") == WISH
    assert scripted.step("The refund is $10.00. Is there anything else?") == STOP


def test_a_refusal_without_a_question_is_met_with_the_next_wish_too():
    scripted = customer(**FACTS, preferences=[FALLBACK, WISH])
    refusal = "I'm sorry, that option is not available."
    assert [scripted.step(refusal) for _ in range(3)] == [FALLBACK, WISH, STOP]


def test_a_told_fallback_belongs_to_the_items_from_then_on():
    scripted = customer(**FACTS, preferences=[FALLBACK])
    scripted.step("Unfortunately blue is unavailable.")
    reply = scripted.step("Could you repeat which items you want to exchange?")
    assert ITEMS in reply.lower() and FALLBACK in reply


@pytest.mark.parametrize("question", ["Which items would you like to exchange?", "How can I help you today?"])
def test_a_wish_that_a_question_did_not_bring_up_is_kept(question):
    scripted = customer(**FACTS, preferences=[WISH])
    assert WISH not in scripted.step(question)
    assert scripted.step("The exchange has been requested. Anything else?") == WISH


def test_a_question_about_identity_is_answered_before_any_wish():
    scripted = customer(**FACTS, preferences=[FALLBACK])
    assert (
        scripted.step("Unfortunately I cannot find the order. Could you tell me your email?")
        == f"My email is {EMAIL}."
    )


def test_an_offer_nobody_asked_for_is_declined():
    reply = customer(**FACTS).step("I cannot cancel it. Would you like me to return it instead?")
    assert reply.startswith("No, thank you")


@pytest.mark.parametrize("agent", ["okay", "", "   ", "\ud800", "{}", "why not", "What?"])
def test_bears_with_an_agent_that_makes_no_sense_only_for_a_while(agent: str):
    scripted = customer()
    replies = [scripted.step(agent) for _ in range(MAX_TURNS + 1)]
    assert STOP not in replies[0] and replies[-1] == STOP
    assert replies[PATIENCE - 1] == STOP or "reason" in replies[0]


def test_leaves_after_a_bounded_number_of_turns_for_good():
    scripted = customer(**FACTS)
    replies = [scripted.step("What is your email?") for _ in range(MAX_TURNS + 2)]
    assert all(EMAIL in reply for reply in replies[:MAX_TURNS])
    assert replies[MAX_TURNS:] == [STOP, STOP]


@pytest.mark.parametrize("agent", [None, 7, ["What is your email?"], {"content": "hi"}, b"hi"])
def test_anything_but_text_is_no_message(agent):
    assert customer(**FACTS).step(agent) == "Sorry, I did not get that."


def test_facts_of_foreign_files_may_have_other_types():
    scripted = customer(
        zip=98765, name=None, order_ids="#W1234567", preferences="Blue, please.", confirm=None
    )
    assert scripted.step("What is your zip code and the order number?") == (
        "My zip code is 98765 and my order number is #W1234567."
    )
    assert scripted.step("What is your full name?") == "I don't have my name at hand."
    assert scripted.step("Do you confirm (yes/no)?") == YES
    assert scripted.step("Anything else?") == "Blue, please."


PREFERENCES = st.lists(st.sampled_from([FALLBACK, WISH, "Otherwise cancel everything."]), unique=True)
SOME_FACTS = st.fixed_dictionaries(
    {},
    optional={key: st.just(value) for key, value in FACTS.items()}
    | {
        "preferences": PREFERENCES,
        "confirm": st.sampled_from(["yes", "no"]),
        "confirm_note": st.just("Thanks!"),
    },
)
AGENT_WORDS = st.one_of(
    st.sampled_from([text for text, _ in SENTENCES]),
    st.text(),
    st.lists(st.sampled_from([text for text, _ in SENTENCES]), min_size=2, max_size=4).map(" ".join),
)


@given(facts=SOME_FACTS, messages=st.lists(AGENT_WORDS, max_size=12), data=st.data())
@settings(max_examples=150, deadline=None)
def test_deterministic_and_restoring_at_any_step_changes_nothing(facts, messages, data):
    straight, interrupted = customer(**facts), customer(**facts)
    cut = data.draw(st.integers(0, len(messages)))
    expected = [straight.step(text) for text in messages]
    first = [interrupted.step(text) for text in messages[:cut]]
    saved = json.loads(json.dumps(interrupted.state()))
    resumed = ScriptedCustomer()
    resumed.restore(saved)
    assert first + [resumed.step(text) for text in messages[cut:]] == expected
    assert resumed.state() == straight.state()


@given(facts=SOME_FACTS, messages=st.lists(AGENT_WORDS, max_size=8))
@settings(max_examples=150, deadline=None)
def test_never_says_a_fact_it_was_not_given(facts, messages):
    scripted = customer(**facts)
    withheld = {str(value) for key, value in FACTS.items() if key not in facts and isinstance(value, str)}
    numbers = set(re.findall(r"\d{4,}", json.dumps(facts) + QUERY))
    for text in messages:
        reply = scripted.step(text)
        assert not any(value in reply for value in withheld)
        assert set(re.findall(r"\d{4,}", reply)) <= numbers


@given(facts=SOME_FACTS, message=AGENT_WORDS)
@settings(max_examples=100, deadline=None)
def test_a_saved_state_is_a_copy(facts, message):
    scripted = customer(**facts)
    saved = scripted.state()
    before = json.dumps(saved)
    scripted.step(message)
    saved["facts"]["email"] = "changed@example.com"
    assert "changed@example.com" not in scripted.step("What is your email?")
    assert json.loads(before)["turns"] == 0


def test_every_conversation_ends():
    """Whatever single thing an agent repeats, the customer leaves in bounded time."""
    for text, _ in SENTENCES:
        scripted = customer(**FACTS, preferences=[FALLBACK, WISH])
        assert STOP in [scripted.step(text) for _ in range(MAX_TURNS + 1)], text
