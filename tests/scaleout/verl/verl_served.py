"""verl's own pieces around scripted turns, for the tests that need verl: no server, no model, no Ray."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from verl_samples import RECIPES, TINY

from envs.retail.tasks import Task
from scaleout.verl.check import composed_by_verl
from scaleout.verl.rows import to_row


@cache
def tokenizer():
    """The tiny model's: harmony's special tokens and the project's chat template."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(TINY)


def composed(data: Any, *overrides: str, recipe: str = "gpt_oss_20b_grpo"):
    """A recipe as verl composes it, for the tiny model."""
    given = [f"retail.data={data}", f"retail.model={TINY}", *overrides]
    return composed_by_verl(RECIPES / f"{recipe}.yaml", given)


@dataclass
class Served:
    """A server that answers with a script's turns and keeps what it was asked."""

    script: Sequence[str]
    obeys: bool = True  # writes no more than it was allowed
    asked: list[list[int]] = field(default_factory=list)
    params: list[dict[str, Any]] = field(default_factory=list)

    async def generate(self, request_id: str, *, prompt_ids: list[int], sampling_params: dict, **other: Any):
        """The next turn, as long as the request allows."""
        from verl.workers.rollout.replica import TokenOutput

        await asyncio.sleep(0)  # let the other rollouts in between
        text = self.script[len(self.asked)]
        self.asked.append(list(prompt_ids))
        self.params.append(sampling_params)
        most = sampling_params.get("max_tokens") if self.obeys else None
        ids = tokenizer().encode(text, add_special_tokens=False)[:most]
        return TokenOutput(
            token_ids=ids,
            log_probs=[-0.5] * len(ids),
            stop_reason="completed",
            num_preempted=0,
            extra_fields={"min_global_steps": 3, "max_global_steps": 3 + len(self.asked)},
        )


def loop(kind: type, config: Any, server: Served, tools: Sequence[Any] = (), **settings: Any):
    """An agent loop as verl's worker makes it."""
    from verl.experimental.agent_loop.agent_loop import DictConfigWrap, ToolListWrap
    from verl.utils.dataset.rl_dataset import RLHFDataset

    return kind(
        trainer_config=DictConfigWrap(config),
        server_manager=server,
        tokenizer=tokenizer(),
        processor=None,
        dataset_cls=RLHFDataset,
        data_config=DictConfigWrap(config.data),
        hf_model_type="gpt_oss",
        tools=ToolListWrap(list(tools)),
        **settings,
    )


def row_of(task: Task, **more: Any) -> dict[str, Any]:
    """What verl's worker passes to a loop for a row."""
    row = to_row(task, 0)
    return {
        "raw_prompt": row["prompt"],
        "tools_kwargs": row["extra_info"]["tools_kwargs"],
        "extra_info": row["extra_info"],
        "reward_model": row["reward_model"],
        **more,
    }


def run(
    kind: type,
    config: Any,
    episodes: Sequence[tuple[Task, Sequence[str]]],
    tools: Sequence[Any] = (),
    obeys: bool = True,
):
    """Several rollouts side by side; each one's output with its server."""

    async def one(task: Task, turns: Sequence[str]):
        server = Served(list(turns), obeys)
        output = await loop(kind, config, server, tools).run({"temperature": 1.0}, **row_of(task))
        return output, server

    async def together():
        return await asyncio.gather(*[one(task, turns) for task, turns in episodes])

    return asyncio.run(together())


def written(output: Any) -> str:
    """The text of the tokens that are trained."""
    return tokenizer().decode(
        [token for token, mask in zip(output.response_ids, output.response_mask, strict=True) if mask]
    )
