"""ToolRL's switches are off in every test that does not turn them on."""

import pytest

from pipeline.toolrl_score import GUESS_CAP, PUBLISHED


@pytest.fixture(autouse=True)
def _no_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PUBLISHED, GUESS_CAP):
        monkeypatch.delenv(name, raising=False)
