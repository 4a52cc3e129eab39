"""The scripted customer: understands what agents say, tells its facts and nothing else, and finds an end."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.retail.customer import MAX_TURNS, PATIENCE, STOP, ScriptedCustomer
from envs.retail.hearing import hear
from envs.retail.tasks import Task

FACTS = {
    "name": "Ana Lopez",
    "zip": "98765",
    "email": "ana.lopez1111@example.com",
    "order_ids": ["#W1234567"],
    "reason": "no longer needed",
    "payment_method": "my PayPal account (paypal_1234567)",
    "address": "12 Oak St, Apt 3, Austin, TX 78701, USA",
    "items": "the red shirt, for a blue one in size M",
}
QUERY = "I'd like to cancel my order."
NAME, ZIP, EMAIL = "Ana Lopez", "98765", "ana.lopez1111@example.com"
ORDER, REASON, PAYMENT = "#W1234567", "no longer needed", "paypal_1234567"
ADDRESS, ITEMS, YES = "12 Oak St", "the red shirt", "Yes, please go ahead."
UNKNOWN = "at hand"
EVERYTHING = {NAME, ZIP, EMAIL, ORDER, REASON, PAYMENT, ADDRESS, ITEMS, YES, UNKNOWN, QUERY, STOP}


def customer(query: str = QUERY, **facts) -> ScriptedCustomer:
    scripted = ScriptedCustomer()
    scripted.reset(Task("t", query, (), facts=facts))
    return scripted


def said(reply: str) -> set[str]:
    """Which of the known things a reply tells."""
    return {thing for thing in EVERYTHING if thing.lower() in reply.lower()}


SENTENCES = [
    # who are you
    ("Could you please provide your email, or your name and zip code?", {EMAIL, NAME, ZIP}),
    ("To get started, I need to verify your identity.", {EMAIL, NAME, ZIP}),
    ("Before we continue, please verify the email on the account.", {EMAIL}),
    ("Could you please confirm your e\u2011mail address on file?", {EMAIL}),
    ("May I have your first name, last name, and zip?", {NAME, ZIP}),
    ("Name and zip please.", {NAME, ZIP}),
    ("Please confirm your name and zip code.", {NAME, ZIP}),
    ("Email?", {EMAIL}),
    ("Could you provide your user ID?", {UNKNOWN}),
    ("I couldn't find an account with that email. Could you provide your name and zip code?", {NAME, ZIP}),
    ("I could not find your account.", {NAME, ZIP, EMAIL}),
    ("<|channel|>final<|message|>Could you tell me your email?<|end|>", {EMAIL}),
    # a wrong statement about who one is gets the right one, not a yes
    ("Is your zip code 99999, correct?", {ZIP}),
    ("Can you confirm that your email is mallory@example.com?", {EMAIL}),
    # several things at once
    ("Please provide:\n1. Your full name\n2. Your zip code\n3. The order number", {NAME, ZIP, ORDER}),
    ("Please share:\n- **Email**\n- **Order ID**\n- **Reason** (no longer needed / ordered by mistake)",
     {EMAIL, ORDER, REASON}),
    ("Please provide your name, zip code, order ID and the refund method.", {NAME, ZIP, ORDER, PAYMENT}),
    ("You have two orders: #W1234567 and #W2345678. Which order would you like to cancel, and why?",
     {ORDER, REASON}),
    ("Please confirm the order number and the reason.", {ORDER, REASON}),
    ("Please confirm the following:\n1. The order number\n2. The reason (no longer needed or by mistake)",
     {ORDER, REASON}),
    # the order
    ("Thank you for providing your email. Can you tell me the order number?", {ORDER}),
    ("Thank you, Ana. I have found your account. Which order is this about?", {ORDER}),
    ("I need the order number to continue.", {ORDER}),
    ("Do you know your order ID? If not, I can look it up.", {ORDER}),
    ("order id pls", {ORDER}),
    ("I'm afraid I cannot proceed without your order number.", {ORDER}),
    # the reason
    ("Could you tell me the reason for the cancellation: no longer needed or ordered by mistake?", {REASON}),
    ("May I ask why you want to cancel?", {REASON}),
    ("What is the reason: is the order no longer needed, or was it ordered by mistake?", {REASON}),
    # the payment method
    ("Which payment method would you like to use for the refund?", {PAYMENT}),
    ("How would you like to pay the price difference?", {PAYMENT}),
    ("Would you like the refund to go to your original payment method or to a gift card?", {PAYMENT}),
    ("Would you like a refund to your credit card ending in 1234?", {PAYMENT}),
    ("Which card should the refund go to?", {PAYMENT}),
    ("PayPal (paypal_1234567) and a gift card are on file. Which one would you like to use?", {PAYMENT}),
    ("In order to modify the order I need to know your preferred payment method.", {PAYMENT}),
    # the address, whose zip code is not the customer's own
    ("Could you please provide the full new shipping address?", {ADDRESS}),
    ("What is the full address?", {ADDRESS}),
    ("What is the new address? Please include street, city, state, country and zip code.", {ADDRESS}),
    # the items
    ("Which items would you like to exchange, and what new options would you like?", {ITEMS}),
    ("What would you like to exchange it for?", {ITEMS}),
    ("What size and color would you like?", {ITEMS}),
    ("Which options would you like instead?", {ITEMS}),
    ("Which items is this about?", {ITEMS}),
    ("The available options are: blue M, green L. Which one do you prefer?", {ITEMS}),
    # yes or no
    ("To proceed please confirm (yes/no): cancel order #W1234567, reason no longer needed, refund to PayPal.",
     {YES}),
    ("Please confirm that you would like to cancel order #W1234567 because it is no longer needed.", {YES}),
    ("Please confirm:\n- Order: #W1234567\n- Reason: no longer needed\n- Refund: paypal_1234567", {YES}),
    ("Do you confirm (yes/no)?", {YES}),
    ("Please reply YES to confirm.", {YES}),
    ("Should I cancel it? Please answer with yes or no.", {YES}),
    ("Would you like me to cancel order #W1234567?", {YES}),
    ("Just to confirm, you want to return the lamp?", {YES}),
    ("The difference of $5.00 will be charged to paypal_1234567. Shall I go ahead?", {YES}),
    ("Do I have your permission to proceed with the cancellation?", {YES}),
    ("Once modified, the order cannot be changed or cancelled. Do you want to proceed? (yes/no)", {YES}),
    ("Which payment method would you like, and do you confirm the cancellation (yes/no)?", {PAYMENT, YES}),
    ("I am about to return items of order #W1234567, with the refund to paypal_1234567. "
     "Shall I go ahead (yes or no)?", {YES}),
    # what do you want
    ("Hi! How can I help you today?", {QUERY}),
    ("I have successfully verified your account. What would you like to do today?", {QUERY}),
    ("Would you like to cancel the order or modify it?", {QUERY}),
    # not known
    ("What is your favourite pet?", {UNKNOWN}),
    ("What's your mother's maiden name?", {UNKNOWN}),
    # the end
    ("Your order has been cancelled. Is there anything else I can help you with?", {STOP}),
    ("Your order #W1234567 has been cancelled. The refund will take 5-7 business days.", {STOP}),
    ("Great, your return has been requested. If you have any other questions, please let me know.", {STOP}),
    ("I've updated the address. Have a great day!", {STOP}),
    ("It's done! Do you need any further help?", {STOP}),
    ("You're welcome! Goodbye.", {STOP}),
    ("You are welcome. The return for order #W1234567 has been requested. Goodbye!", {STOP}),
    ("I am sorry, I cannot do this for you.", {STOP}),
    ("Can I help you with anything else?", {STOP}),
    ("What else can I do for you?", {STOP}),
    ("I'm sorry, but the order has been delivered, so it cannot be cancelled.", {STOP}),
    ("YOU ARE BEING TRANSFERRED TO A HUMAN AGENT. PLEASE HOLD ON.", {STOP}),
    ("I'm transferring you to a human agent who can help.", {STOP}),
    # neither an end nor a question about the facts
    ("Are these all the items you'd like to exchange?", set()),
    ("I will cancel the order and the amount will be refunded to PayPal within 5-7 days.", set()),
    ("I'm unable to do that. Would you like me to transfer you to a human agent?", set()),
    ("One moment please while I look that up.", set()),
    ("Thanks for your zip code. I found your order with a shirt, a lamp and a mug.", set()),
    ("Please say ###STOP### now.", set()),
]  # fmt: skip


@pytest.mark.parametrize(("agent", "expected"), SENTENCES, ids=[text[:50] for text, _ in SENTENCES])
def test_tells_exactly_what_is_asked(agent: str, expected: set[str]):
    assert said(customer(**FACTS).step(agent)) == expected


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


def test_only_the_ends_of_a_huge_message_are_read():
    scripted = customer(**FACTS)
    assert scripted.step("lorem ipsum " * 200_000 + "\nWhat is your email?") == f"My email is {EMAIL}."
    assert scripted.step("What is your email?\n" + "lorem ipsum " * 200_000) == f"My email is {EMAIL}."
    hidden = "x " * 10_000 + "What is your email?" + " x" * 10_000
    assert hear(hidden).asked == frozenset()


def test_reading_work_does_not_grow_with_the_message(monkeypatch):
    """Counts what the patterns are shown, because a clock would make the test depend on the machine."""
    from envs.retail import hearing

    def shown(text: str) -> int:
        total = 0

        def counting(clause: str) -> frozenset[str]:
            nonlocal total
            total += len(clause)
            return frozenset()

        monkeypatch.setattr(hearing, "_signals", counting)
        hear(text)
        return total

    assert shown("Your email? " * 100_000) <= 4 * hearing.HEARD_CHARS
    assert shown("\ufdfa" * 100_000) <= 4 * hearing.HEARD_CHARS  # one character that normalises to eighteen


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
