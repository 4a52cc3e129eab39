"""What the tests that need verl have in common; nothing here is made before a test asks for it."""

import pytest
from verl_samples import ROOT

from scaleout.verl.export import export

ROOMY = ("data.max_prompt_length=20000", "data.max_response_length=20000")
LONG = ("actor_rollout_ref.rollout.multi_turn.max_assistant_turns=30",)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """An exported folder with held-out tasks, also as training data."""
    folder = tmp_path_factory.mktemp("data")
    export([ROOT / "data" / "validation.jsonl"], folder)
    (folder / "train.parquet").write_bytes((folder / "validation.parquet").read_bytes())
    return folder


@pytest.fixture(scope="module")
def config(data):
    """The gpt-oss recipe with room for any episode."""
    from verl_served import composed

    return composed(data, *ROOMY, *LONG)


@pytest.fixture(scope="module")
def shop_tools(data):
    """The sixteen tools as verl loads them."""
    from verl.tools.tool_registry import load_all_tools

    return load_all_tools(str(data / "tools.yaml"), None)
