"""The policy the agent reads says what the tools do, in the tools' own words."""

from pathlib import Path

import envs.retail

POLICY = (Path(envs.retail.__file__).parent / "wiki.md").read_text(encoding="utf-8")


def test_the_policy_names_every_status_as_the_tools_write_it():
    statuses = ["pending", "processed", "delivered", "cancelled"]
    statuses += ["pending (item modified)", "return requested", "exchange requested"]
    assert [status for status in statuses if f"`{status}`" not in POLICY] == []


def test_the_policy_names_the_two_reasons_the_cancel_tool_accepts():
    assert '"no longer needed"' in POLICY
    assert '"ordered by mistake"' in POLICY


def test_the_policy_is_short_and_each_line_is_one_rule():
    assert 5000 <= len(POLICY) <= 6500
    assert all(line.startswith(("#", "- ")) for line in POLICY.splitlines() if line)
