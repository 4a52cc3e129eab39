"""Small rehearsals for notebook 08: the same reward in every engine, and the second domain inside TRL.

same_rewards(shop, tasks)                                # notebooks, verl, SkyRL: one column each
problems_table()                                         # GSM8K's rule, and what hedging earns
rehearse_gsm8k(model, tokenizer, config, run, steps=2)   # TRL's loop runs the calculator
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from envs.gsm8k.answers import score as gsm8k_score
from envs.gsm8k.synthetic import generate
from envs.retail.customer import ScriptedCustomer
from envs.retail.database import Shop
from envs.retail.environment import MAX_STEPS
from envs.retail.tasks import Task
from pipeline.config import Config
from pipeline.demonstrations import demonstrate
from pipeline.episode import Episode
from pipeline.harmony import written_turns
from pipeline.report import left_aligned
from pipeline.running import Rollout

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

GOODBYE = "<|channel|>final<|message|>Goodbye!<|return|>"
BEHAVIOURS = {
    "does what is right": list,
    "makes every call twice": lambda turns: [turn for turn in turns for _ in range(1 + ("to=" in turn))],
    "stops after one call": lambda turns: [turns[0], GOODBYE],
    "says goodbye at once": lambda turns: [GOODBYE],
}


def same_rewards(shop: Shop, tasks: Sequence[Task], reward: Sequence[str] = ("tool_level",)) -> pd.DataFrame:
    """What the same turns earn on average in this project, in verl's reward and in SkyRL's environment."""
    import pandas as pd

    from pipeline.episode import play_turns
    from pipeline.rewards import score
    from scaleout.skyrl.settings import RetailSettings

    settings = RetailSettings(list(reward))
    rows = []
    for name, behaviour in BEHAVIOURS.items():
        earned = []
        for task in tasks:
            turns = behaviour(written_turns(demonstrate(shop, task).messages))
            episode = play_turns(shop, task, turns, customer=ScriptedCustomer())
            ours = score(episode, settings.weights, normalise=True).total
            earned.append((ours, _in_verl(episode, reward), _in_skyrl(task, turns, settings)))
        rows.append((name, *(round(fmean(column), 4) for column in zip(*earned, strict=True))))
    return pd.DataFrame(rows, columns=["the agent", "notebooks", "verl", "SkyRL"])


def _in_verl(episode: Episode, reward: Sequence[str]) -> float:
    from scaleout.verl.account import EPISODE, account
    from scaleout.verl.reward import compute_score

    left = {EPISODE: account(Rollout(episode, (), 0, 0, 0.0))}
    return compute_score("retail", "", json.dumps(episode.task.to_json()), left, reward=reward)["score"]


def _in_skyrl(task: Task, turns: Sequence[str], settings: Any) -> float:
    from scaleout.skyrl.serving import Serving

    serving = Serving(task, settings, max_turns=MAX_STEPS)
    for turn in turns:
        if not serving.done:
            serving.take(turn)
    serving.end("budget")
    return serving.reward


def problems_table(count: int = 3, seed: int = 1) -> Styler:
    """Made-up word problems, and what right, bare and hedged answers earn."""
    rows = []
    for problem in islice(generate(seed), count):
        answers = (problem.solution, f"It is {problem.answer}.", f"#### 1\n#### {problem.answer}")
        earned = (f"{gsm8k_score(answer, problem.solution):.0f}" for answer in answers)
        rows.append((problem.question, problem.answer, *earned))
    return left_aligned(rows, ["question", "answer", "worked out", "without ####", "two answers"])


def rehearse_gsm8k(model: Any, tokenizer: Any, config: Config, run: Path, steps: int) -> pd.DataFrame:
    """A few steps of GRPO on made-up problems with the calculator as a tool: to see it run, not to learn."""
    import pandas as pd

    from pipeline.grpo import grpo_arguments
    from pipeline.gsm8k import train_gsm8k

    arguments = grpo_arguments(
        config,
        run,
        output_dir=str(run / "gsm8k"),
        max_steps=steps,
        num_generations=2,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=1,
        max_completion_length=96,
        eval_strategy="no",
        save_strategy="no",
        load_best_model_at_end=False,
    )
    result = train_gsm8k(model, tokenizer, list(islice(generate(seed=1), 2 * steps)), arguments)
    names = ("step", "reward", "ended_properly", "avg_tool_calls", "flat_groups", "completions/mean_length")
    history = [entry for entry in result.history if "reward" in entry]
    return pd.DataFrame([{name: entry.get(name) for name in names} for entry in history])
