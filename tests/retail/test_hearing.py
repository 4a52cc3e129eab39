"""What a customer understands of an agent: each sentence of the table gets what it asks for, and no more."""

import pytest
from agent_sentences import EMAIL, FACTS, SENTENCES, customer, said

from envs.retail import hearing
from envs.retail.hearing import hear


@pytest.mark.parametrize(("agent", "expected"), SENTENCES, ids=[text[:50] for text, _ in SENTENCES])
def test_tells_exactly_what_is_asked(agent: str, expected: set[str]):
    assert said(customer(**FACTS).step(agent)) == expected


def test_only_the_ends_of_a_huge_message_are_read():
    scripted = customer(**FACTS)
    assert scripted.step("lorem ipsum " * 200_000 + "\nWhat is your email?") == f"My email is {EMAIL}."
    assert scripted.step("What is your email?\n" + "lorem ipsum " * 200_000) == f"My email is {EMAIL}."
    hidden = "x " * 10_000 + "What is your email?" + " x" * 10_000
    assert hear(hidden).asked == frozenset()


def test_reading_work_does_not_grow_with_the_message(monkeypatch):
    """Counts what the patterns are shown, because a clock would make the test depend on the machine."""

    def shown(text: str) -> int:
        total = 0

        def counting(clause: str) -> frozenset[str]:
            nonlocal total
            total += len(clause)
            return frozenset()

        monkeypatch.setattr(hearing, "_signals", counting)
        hear(text)
        return total

    assert 0 < shown("Your email? " * 100_000) <= 4 * hearing.HEARD_CHARS
    assert 0 < shown("\ufdfa" * 100_000) <= 4 * hearing.HEARD_CHARS  # one character, eighteen as plain text
