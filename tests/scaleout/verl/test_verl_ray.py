"""A real training step of verl's own trainer on Ray, with a tiny GPT-OSS on the CPU: only when asked.

    RETAIL_VERL_RAY=1 python -m pytest tests/scaleout/verl/test_verl_ray.py

What it shows: the exported data, our recipe, both loops, tools, parser, reward and records go through verl's
trainer (TransferQueue, FSDP2 over gloo, weights handed to a rollout server) and come out as the project's own
numbers. What it cannot show: anything about GPUs, sglang, or a model that learns.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

if not os.environ.get("RETAIL_VERL_RAY"):
    pytest.skip("takes minutes: set RETAIL_VERL_RAY=1", allow_module_level=True)
pytest.importorskip("verl.trainer", reason="needs verl: pip install -r requirements-scaleout-verl.txt")

from verl_samples import RECIPES, ROOT, TINY, gold_turns, spoken_turns, tasks

from envs.retail.tasks import Task, write_tasks
from pipeline.episode_records import read_records
from scaleout.verl.export import export
from scaleout.verl.results import read_back

pytestmark = [pytest.mark.torch, pytest.mark.slow]

HERE = Path(__file__).parent
ROLLOUT, ACTOR, MODEL = "actor_rollout_ref.rollout", "actor_rollout_ref.actor", "actor_rollout_ref.model"
SMALL = [
    "data.train_batch_size=2",
    "data.max_response_length=1536",
    "data.dataloader_num_workers=0",
    f"{MODEL}.enable_gradient_checkpointing=false",
    f"{ACTOR}.ppo_mini_batch_size=2",
    f"{ACTOR}.optim.lr=1e-3",
    f"{ROLLOUT}.name=cpu_text",
    f"{ROLLOUT}.n=2",
    f"{ROLLOUT}.tensor_model_parallel_size=1",
    f"{ROLLOUT}.dtype=float32",
    f"{ROLLOUT}.load_format=auto",
    f"{ROLLOUT}.agent.num_workers=1",
    "reward.num_workers=1",
    "trainer.device=cpu",
    "trainer.n_gpus_per_node=1",
    "trainer.logger=[console]",
    "trainer.val_before_train=false",
    "trainer.test_freq=-1",
    "trainer.save_freq=-1",
    "trainer.resume_mode=disable",
    "trainer.total_training_steps=1",
    "trainer.total_epochs=1",
    "transfer_queue.backend.SimpleStorage.num_data_storage_units=1",
    "ray_kwargs.ray_init.num_cpus=16",
    "+ray_kwargs.ray_init.num_gpus=1",
    "+ray_kwargs.ray_init.include_dashboard=false",
]
PLAIN = [  # no compilation, no offloading, 32 bits
    f"{ACTOR}.use_torch_compile=false",
    "actor_rollout_ref.ref.use_torch_compile=false",
    *[
        f"{where}.fsdp_config.{key}"
        for where in (ACTOR, "actor_rollout_ref.ref")
        for key in ("use_torch_compile=false", "model_dtype=fp32", "param_offload=false")
    ],
    f"{ACTOR}.fsdp_config.optimizer_offload=false",
]
ENVIRONMENT = {
    "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)]),
    "VERL_USE_EXTERNAL_MODULES": "cpu_platform",
    "VERL_PLATFORM": "cpu",
    "VERL_ENGINE_DEVICE": "cuda",
    "RAY_agent_register_timeout_ms": "300000",  # on a busy machine Ray's own patience is too short
    "RAY_raylet_start_wait_time_s": "300",
    "RAY_gcs_server_request_timeout_seconds": "120",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "HYDRA_FULL_ERROR": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
}


def short_tasks() -> list[Task]:
    """Two tasks that need few turns, no answer of the customer, and a change of the shop."""
    found = [task for task in tasks() if task.gold_final and task.level <= 2]
    return sorted(found, key=lambda task: len("".join(gold_turns(task))))[:2]


def trained(folder: Path, loop: str, *overrides: str) -> str:
    """One training step; what it printed."""
    chosen = short_tasks()
    write_tasks(folder / "tasks.jsonl", chosen)
    data = folder / "data"
    export([folder / "tasks.jsonl"], data, loop=loop)
    (data / "train.parquet").write_bytes((data / "validation.parquet").read_bytes())
    turns = gold_turns if loop == "retail_agent" else spoken_turns
    script = folder / "script.json"
    script.write_text(json.dumps({task.query: turns(task) for task in chosen}), encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "verl.trainer.main_ppo"),
            *(f"--config-path={RECIPES}", "--config-name=gpt_oss_20b_grpo"),
            *(f"retail.data={data}", f"retail.model={TINY}", f"{ROLLOUT}.agent.default_agent_loop={loop}"),
            *(f"trainer.default_local_dir={folder / 'checkpoints'}", f"hydra.run.dir={folder / 'hydra'}"),
            *(*SMALL, *PLAIN, *overrides),
        ],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT, "CPU_ROLLOUT_SCRIPT": str(script), "RAY_DEDUP_LOGS": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    (folder / "log.txt").write_text(done.stdout, encoding="utf-8")
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def number(log: str, name: str) -> float:
    """A metric of the step as verl printed it."""
    return float(re.search(rf"{re.escape(name)}:(?:np\.float\d+\()?([-+0-9.e]+)", log)[1])


@pytest.mark.parametrize("loop", ["retail_agent", "retail_tools"])
def test_a_training_step_moves_the_weights_and_its_scores_are_the_projects(loop, tmp_path):
    turns = f"{ROLLOUT}.multi_turn.max_assistant_turns=12"
    log = trained(tmp_path, loop, turns)
    moved = [float(value) for value in re.findall(r"moved ([-+0-9.e]+)", log)]
    assert moved[0] == 0.0 and moved[-1] > 1e-5, "the server had the model's weights, then the step's"
    assert number(log, "actor/grad_norm") > 0
    assert number(log, "critic/score/max") > number(log, "critic/score/min")
    read = read_back(tmp_path / "data/dumps/train", tmp_path / "data/episodes", tmp_path / "out.jsonl")
    assert read.ok and read.episodes == 4, str(read)
    assert sum(record["succeeded"] for record in read_records(tmp_path / "out.jsonl")) == 2
