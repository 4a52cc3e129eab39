"""The argument files, keys and entrypoint against the real package. Needs `skyrl`; no Ray is started."""

import asyncio
import json

import pytest

pytest.importorskip("skyrl", reason="skyrl is not installed: see scaleout/skyrl/README.md")

pytestmark = [pytest.mark.torch, pytest.mark.slow]

from scripted_agent import gold_turns  # noqa: E402
from skyrl_lab import BYE  # noqa: E402

from envs.gsm8k.synthetic import generate  # noqa: E402
from scaleout.skyrl.__main__ import main  # noqa: E402
from scaleout.skyrl.arguments import known_keys, read_arguments, typed_keys  # noqa: E402
from scaleout.skyrl.gsm8k import gsm8k_rows  # noqa: E402
from scaleout.skyrl.launch import ROOT  # noqa: E402
from scaleout.skyrl.results import read_back  # noqa: E402
from scaleout.skyrl.rows import retail_rows, write_rows  # noqa: E402

FILES = sorted((ROOT / "scaleout" / "skyrl").glob("*.args"))


def test_the_keys_are_the_packages():
    from scaleout.skyrl.entrypoint import TrainConfig

    found = json.loads(json.dumps(typed_keys(TrainConfig)))
    assert {key: tuple(value) for key, value in found.items()} == dict(known_keys())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_skyrl_accepts_the_shipped_files(file, capsys):
    from scaleout.skyrl.entrypoint import config_of
    from scaleout.skyrl.settings import RetailSettings

    cfg = config_of(read_arguments(file).overrides)
    kwargs = dict(cfg.generator.chat_template_kwargs)
    assert len(kwargs.pop("tools", ())) == (16 if "retail" in file.stem else 0)
    assert kwargs == {"reasoning_effort": "low"}
    assert cfg.environment.skyrl_gym.retail == RetailSettings()
    assert cfg.trainer.flash_attn is False and cfg.trainer.remove_microbatch_padding is False
    assert main(["check", str(file)]) == 0 and "SkyRL's own validation agrees" in capsys.readouterr().out


@pytest.mark.parametrize(
    "old",
    [
        "generator.inference_engine_tensor_parallel_size=4",
        "generator.num_inference_engines=2",
        "generator.enforce_eager=true",
        "generator.backend=vllm",
        "+generator.chat_template_kwargs={reasoning_effort: low}",
        "environment.skyrl_gym.retail.rewards=[outcome]",
    ],
)
def test_what_we_call_old_is_refused_by_the_package(old):
    from scaleout.skyrl.entrypoint import config_of

    with pytest.raises(ValueError, match=r"Invalid fields|'\+' prefix"):
        config_of([*read_arguments(FILES[1]).overrides, old])


@pytest.mark.parametrize(
    "silent",
    [
        "generator.chat_template_kwargs={reasoning_effort:'low'}",
        "trainer.flash_attn=flase",
        "generator.inference_engine.backend=sglang",
        "generator.n_samples_per_prompt=1",
        "trainer.algorithm.zero_variance_filter=true",
    ],
)
def test_what_we_call_silent_is_accepted_by_the_package(silent):
    """The day SkyRL refuses one of these itself, our rule can go."""
    from scaleout.skyrl.entrypoint import config_of

    assert config_of([*read_arguments(FILES[1]).overrides, silent])


def test_a_reward_can_be_chosen_and_a_wrong_one_is_refused():
    from scaleout.skyrl.entrypoint import config_of

    overrides = read_arguments(FILES[1]).overrides
    cfg = config_of([*overrides, "environment.skyrl_gym.retail.reward=['tool_level:1', 'outcome:2']"])
    assert cfg.environment.skyrl_gym.retail.weights == {"tool_level": 1.0, "outcome": 2.0}
    with pytest.raises(ValueError, match="no reward profile 'outcom'"):
        config_of([*overrides, "environment.skyrl_gym.retail.reward=[outcom]"])
    with pytest.raises(ValueError, match="is not one of this project's worlds"):
        config_of([*overrides, "environment.env_class=gsm8k"])


class ScriptedEngine:
    """Says the next turn of the task whose query is in the prompt."""

    model_name = "scripted"

    def __init__(self, tokenizer, scripts):
        self.tokenizer, self.scripts, self.told = tokenizer, scripts, {}

    async def generate(self, batch, model=None):
        (session,), (prompt,) = batch["session_ids"], batch["prompt_token_ids"]
        text = self.tokenizer.decode(prompt)
        turns = next(turns for query, turns in self.scripts.items() if query in text)
        place = self.told[session] = self.told.get(session, -1) + 1
        ids = self.tokenizer(turns[place], add_special_tokens=False)["input_ids"]
        return {
            "responses": [""],
            "response_ids": [ids],
            "stop_reasons": ["stop"],
            "response_logprobs": [[-0.5] * len(ids)],
        }

    async def finish_session(self, session):
        pass


def experiment(file, tiny_base, rows, tmp_path, *more):
    """Our experiment with SkyRL's own reading of rows; what needs GPUs is left out."""
    from scaleout.skyrl.entrypoint import HarmonyExperiment, config_of, register_worlds

    write_rows(tmp_path / "rows.jsonl", rows)
    settings = [
        f"data.train_data=[{tmp_path}/rows.jsonl]",
        f"data.val_data=[{tmp_path}/rows.jsonl]",
        f"trainer.policy.model.path={tiny_base}",
        f"trainer.export_path={tmp_path}",
        "trainer.train_batch_size=2",
        "trainer.policy_mini_batch_size=2",
        "trainer.eval_batch_size=4",
        "data.dataloader.num_workers=0",
        "generator.inference_engine.num_engines=1",
        "generator.inference_engine.tensor_parallel_size=1",
        "trainer.placement.policy_num_gpus_per_node=1",
        "trainer.placement.ref_num_gpus_per_node=1",
        *more,
    ]
    cfg = config_of([*read_arguments(file).overrides, *settings])
    register_worlds()

    class WithoutGpus(HarmonyExperiment):
        def get_colocate_pg(self, *args, **kwargs):
            return None

    return WithoutGpus(cfg)


def evaluated(one, scripts, step=5):
    """SkyRL's own evaluation, dumps included."""
    from skyrl.train.evaluate import evaluate
    from skyrl.train.utils.trainer_utils import build_dataloader

    engine = ScriptedEngine(one.tokenizer, scripts)
    generator = one.get_generator(one.cfg, one.tokenizer, engine)
    loader = build_dataloader(one.cfg, one.eval_dataset, is_train=False)
    return asyncio.run(evaluate(loader, generator, one.cfg, step, one.tokenizer))


def test_an_evaluation_of_skyrls_comes_back_as_episodes(shop, tasks, tiny_base, tmp_path, monkeypatch):
    """From rows to SkyRL's data set, generator, evaluation and dump, and back into the project's tables."""
    import datasets

    real = datasets.Dataset.filter  # SkyRL asks for eight processes, to count a handful of prompts
    monkeypatch.setattr(datasets.Dataset, "filter", lambda self, *a, num_proc=None, **k: real(self, *a, **k))
    tasks = tasks[:6]
    scripts = {task.query: gold_turns(shop, task) for task in tasks}
    scripts[tasks[0].query] = [BYE] * 9
    one = experiment(
        FILES[1], tiny_base, retail_rows(tasks, "test"), tmp_path, "generator.max_input_length=60000"
    )
    metrics = evaluated(one, scripts)
    world = "eval/all/environment"
    assert (metrics[f"{world}/episodes"], metrics[f"{world}/successes"]) == (6.0, 5.0)
    assert metrics[f"{world}/mean/task_success_rate"] == pytest.approx((3 / 4 + 2 / 2) / 2), "of two batches"
    assert metrics[f"{world}/mean/tool_parse_success_rate"] == 1.0
    (found,) = read_back(tmp_path, tmp_path / "run", tokenizer=tiny_base)
    assert found.episodes == 6 and found.answered_otherwise == () and found.scored_otherwise == ()
    records = [json.loads(line) for line in found.file.read_text().splitlines()]
    assert sum(record["succeeded"] for record in records) == 5
    assert all(record["tokens"] > 0 for record in records)
    monkeypatch.setattr("scaleout.skyrl.prompts.ROOM", 60_000)  # the tiny vocabulary makes prompts too short
    with pytest.raises(ValueError, match=r"set generator\.max_input_length, now 12288, to"):
        experiment(FILES[1], tiny_base, retail_rows(tasks, "test"), tmp_path)


def test_gsm8k_is_evaluated_by_the_projects_rule(tiny_base, tmp_path, monkeypatch):
    import datasets

    real = datasets.Dataset.filter
    monkeypatch.setattr(datasets.Dataset, "filter", lambda self, *a, num_proc=None, **k: real(self, *a, **k))
    problems = [problem for problem, _ in zip(generate(seed=3), range(4), strict=False)]
    right = [f"<|channel|>final<|message|>{problem.solution}<|return|>" for problem in problems]
    wrong = f"<|channel|>analysis<|message|>#### {problems[3].answer}<|end|>"
    scripts = {p.question: [turn] for p, turn in zip(problems, [*right[:3], wrong], strict=True)}
    one = experiment(
        FILES[0], tiny_base, gsm8k_rows(problems, "test"), tmp_path, "generator.max_input_length=2048",
        "trainer.max_prompt_length=2048",
    )  # fmt: skip
    metrics = evaluated(one, scripts)
    assert metrics["eval/all/environment/mean/accuracy"] == 0.75
    assert metrics["eval/all/environment/mean/answer_read"] == 0.75
    assert metrics["eval/all/avg_score"] == 0.75
