"""The worlds inside a Ray worker, where SkyRL keeps its training loop. Needs `skyrl`; starts a local Ray."""

import os
from pathlib import Path

import pytest

pytest.importorskip("skyrl", reason="skyrl is not installed: see scaleout/skyrl/README.md")

pytestmark = [pytest.mark.torch, pytest.mark.slow]

import ray  # noqa: E402
from skyrl_lab import BYE  # noqa: E402

from scaleout.skyrl.arguments import read_arguments  # noqa: E402
from scaleout.skyrl.launch import ROOT  # noqa: E402


@pytest.fixture
def one_worker():
    places = [ROOT, Path(__file__).parent, ROOT / "tests" / "pipeline"]
    code = {"PYTHONPATH": os.pathsep.join(map(str, places))}
    ray.init(
        num_cpus=1, include_dashboard=False, object_store_memory=80_000_000, runtime_env={"env_vars": code}
    )
    yield ray.remote(num_cpus=1)
    ray.shutdown()


def an_episode_in(cfg, row):
    """What the loop's worker does: register the worlds, make one by its name, play it."""
    import skyrl_gym

    from scaleout.skyrl.entrypoint import register_worlds

    known = "retail" in skyrl_gym.envs.registration.registry
    register_worlds()
    register_worlds()
    extras = {"reward_spec": row["reward_spec"], "max_turns": 3}
    world = skyrl_gym.make("retail", env_config=cfg.environment.skyrl_gym.retail, extras=extras)
    world.init(row["prompt"])
    return known, os.getpid(), cfg.environment.env_class, world.step(BYE)


def test_a_worker_registers_the_worlds_and_plays(one_worker, tasks):
    from scaleout.skyrl.entrypoint import config_of
    from scaleout.skyrl.rows import retail_rows

    cfg = config_of(read_arguments(ROOT / "scaleout/skyrl/retail_gpt_oss.args").overrides)
    (row,) = retail_rows(tasks[:1])
    known, process, world, step = ray.get(one_worker(an_episode_in).remote(cfg, row), timeout=300)
    assert process != os.getpid() and not known, "a registration here is not seen there"
    assert world == "retail" and step["done"] and step["reward"] <= 0
