"""Whole episodes of models: one that knows its tasks by heart, and the tiny base as notebooks load it."""

import json
from itertools import islice

import pytest
from fresh_process import run_alone
from small_models import build

from envs.retail.database import Shop
from envs.retail.generator import generate
from pipeline.datasets import sft_rows, tokenized
from pipeline.harmony_parse import parse
from pipeline.rollouts import play
from pipeline.tiny.base import FOLDER

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def learned():
    """A small gpt-oss that was trained on the gold episodes of a few tasks until it writes them all."""
    from transformers import AutoTokenizer

    tokenizer, shop = AutoTokenizer.from_pretrained(FOLDER), Shop.load()
    by_id = {task.id: task for task in islice(generate(shop, seed=21, levels=(1, 2)), 60)}
    rows, report = sft_rows(shop, by_id.values(), tokenizer=tokenizer, max_length=10**9, rows="episode")
    several = [row for row in rows if sum(piece.kind == "call" for piece in row.pieces) > 1]
    chosen = sorted(several, key=lambda row: report.lengths[f"{row.task_id}/0"])[:3]
    batch = [tokenized(row, tokenizer) for row in chosen]
    model = build("gpt_oss", len(tokenizer), hidden_size=48, initializer_range=0.1, sliding_window=64)
    memorise(model, batch, tokenizer.pad_token_id)
    return model, tokenizer, shop, [by_id[row.task_id] for row in chosen], batch


def memorise(model, batch: list[dict[str, list[int]]], pad: int) -> None:
    import torch

    width = max(len(row["input_ids"]) for row in batch)
    ids = torch.tensor([row["input_ids"] + [pad] * (width - len(row["input_ids"])) for row in batch])
    mask = torch.tensor([row["completion_mask"] + [0] * (width - len(row["input_ids"])) for row in batch])
    labels = ids.masked_fill(mask == 0, -100)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    model.train()
    for _ in range(600):
        out = model(ids, labels=labels)
        known = (out.logits[:, :-1].argmax(-1) == ids[:, 1:]) | (labels[:, 1:] == -100)
        if known.all() and out.loss < 0.02:
            break
        out.loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()


@pytest.mark.parametrize("keep_cache", [True, False])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_model_that_knows_the_tasks_earns_full_rewards(learned, keep_cache, batch_size):
    from pipeline.local_agent import LocalAgent

    model, tokenizer, shop, tasks, rows = learned
    writer = LocalAgent(model, tokenizer, keep_cache=keep_cache, max_new_tokens=200)
    rollouts = play(writer, shop, tasks, batch_size=batch_size, progress=False)
    for row, rollout in zip(rows, rollouts, strict=True):
        assert rollout.episode.succeeded and rollout.episode.score().reward == 1.0
        assert rollout.prompt_ids + rollout.completion_ids == row["input_ids"]
        assert [0] * len(rollout.prompt_ids) + rollout.env_mask == row["completion_mask"]
        assert len(rollout.episode.calls) >= 2 and rollout.episode.tokens == sum(rollout.env_mask)


# The tiny base as notebooks load it: in a process of its own, where Unsloth can come first

_STORY = """
import json, sys
from pipeline.config import resolve
from pipeline.model import load_model
config = resolve("tiny", environ={})
model, tokenizer = load_model(config)
from envs.retail.database import Shop
from pipeline.local_agent import LocalAgent
from pipeline.rollouts import play
from pipeline.task_sets import tasks_for
shop = Shop.load()
tasks = tasks_for(shop, config, "test", 3)
model.train()
def episodes(temperature, keep_cache, batch_size):
    agent = LocalAgent(model, tokenizer, temperature=temperature, max_new_tokens=30, keep_cache=keep_cache)
    played = play(agent, shop, tasks, batch_size=batch_size, max_turns=3, max_tokens=250, progress=False)
    return [[one.prompt_ids, one.completion_ids, one.env_mask, one.episode.ended, one.text] for one in played]
story = {str(t): [episodes(t, *how) for how in ((None, 1), (True, 3), (False, 3))] for t in (0.0, 1.0)}
print("STORY" + json.dumps({"episodes": story, "training": model.training,
    "kept": LocalAgent(model, tokenizer).cache is not None}))
"""


@pytest.mark.slow
def test_the_tiny_base_plays_the_same_in_any_batch_with_and_without_kept_caches():
    # in bfloat16 near ties would be decided by the batch
    done = run_alone(_STORY)
    assert done.returncode == 0, done.stderr[-3000:]
    story = json.loads(done.stdout.rsplit("STORY", 1)[1])
    assert story["training"] and story["kept"]
    for alone_, kept, read_again in story["episodes"].values():
        assert alone_ == kept == read_again
        for prompt, completion, mask, ended, text in alone_:
            assert len(mask) == len(completion) <= 250 and mask[0] == mask[-1] == 1 and ended and prompt
            assert parse(text.rsplit("<|start|>assistant", 1)[1], ()).verdict
    assert story["episodes"]["0.0"][0] != story["episodes"]["1.0"][0]
