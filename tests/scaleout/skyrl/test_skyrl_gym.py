"""The worlds inside skyrl-gym itself: registered, made and stepped as SkyRL does. Needs `skyrl-gym`."""

import pytest

skyrl_gym = pytest.importorskip("skyrl_gym", reason="skyrl-gym is not installed")

from scripted_agent import encode, gold_turns  # noqa: E402
from skyrl_gym.metrics import aggregate_for_environment  # noqa: E402
from skyrl_lab import BYE, LETTERS, THOUGHT, in_channel_form  # noqa: E402

from envs.gsm8k.problems import Problem  # noqa: E402
from scaleout.skyrl.gsm8k import gsm8k_rows  # noqa: E402
from scaleout.skyrl.rows import retail_rows  # noqa: E402
from scaleout.skyrl.settings import Gsm8kSettings, RetailSettings  # noqa: E402

PLACES = {
    "retail": "scaleout.skyrl.retail_env:RetailTextEnv",
    "gsm8k_harmony": "scaleout.skyrl.gsm8k_env:Gsm8kTextEnv",
}
PROBLEM = Problem.of("Natalia sold 48 clips and then half as many. How many?", "48 + 24 = 72\n#### 72")


@pytest.fixture(scope="module", autouse=True)
def registered():
    known = skyrl_gym.envs.registration.registry
    for name, place in PLACES.items():
        if name not in known:
            skyrl_gym.register(id=name, entry_point=place)


def extras_of(row: dict, **more) -> dict:
    """What SkyRL makes of a row: all columns but prompt and env_class, and the generator's limit."""
    return {key: value for key, value in row.items() if key not in ("prompt", "env_class")} | more


def run(env, turns):
    """Step until the environment says it is over; each step's output."""
    outputs = []
    for turn in turns:
        outputs.append(env.step(turn))
        if outputs[-1]["done"]:
            break
    env.close()
    return outputs


@pytest.mark.parametrize("form", [str, in_channel_form])
def test_gold_turns_earn_the_reward_at_their_end(shop, tasks, form):
    for row, task in zip(retail_rows(tasks), tasks, strict=True):
        env = skyrl_gym.make(
            "retail", env_config={"reward": ["outcome"]}, extras=extras_of(row, max_turns=30)
        )
        prompt, _ = env.init(row["prompt"])
        assert prompt == row["prompt"]
        outputs = run(env, [form(turn) for turn in gold_turns(shop, task)])
        assert [output["reward"] for output in outputs] == [*[0.0] * (len(outputs) - 1), 1.0]
        assert all(output["observations"][0]["role"] in ("tool", "user") for output in outputs[:-1])
        assert outputs[-1]["observations"] == [] and outputs[-1]["done"]
        assert env.get_metrics()["task_success_rate"] == 1.0


def test_each_trajectory_has_a_shop_of_its_own(shop, tasks):
    task = max(tasks, key=lambda task: len(task.gold_actions))
    (row,) = retail_rows([task])
    envs = [skyrl_gym.make("retail", env_config=RetailSettings(), extras=extras_of(row)) for _ in range(3)]
    for turn in gold_turns(shop, task):
        for env in envs[:2]:
            env.step(turn)
    envs[2].step(BYE)
    metrics = [env.get_metrics() for env in envs]
    assert [one["task_success_rate"] for one in metrics] == [1.0, 1.0, 0.0]
    assert aggregate_for_environment("retail", metrics)["mean/task_success_rate"] == pytest.approx(2 / 3)


def test_the_limit_of_turns_is_skyrls(shop, tasks):
    (row,) = retail_rows(tasks[-1:])
    env = skyrl_gym.make("retail", extras=extras_of(row, max_turns=2))
    outputs = run(env, gold_turns(shop, tasks[-1]))
    assert len(outputs) == 2 and outputs[-1]["metadata"] == {"ended": "steps"}
    assert env.get_metrics()["cut_off"] == 1.0


def test_an_episode_that_skyrl_leaves_has_run_out_of_room(shop, tasks):
    (row,) = retail_rows(tasks[-1:])
    env = skyrl_gym.make("retail", extras=extras_of(row))
    env.step(gold_turns(shop, tasks[-1])[0])
    env.close()
    assert env.get_metrics()["cut_off"] == 1.0 and env.get_metrics()["task_success_rate"] == 0.0


def test_a_row_for_another_policy_is_refused(tasks):
    (row,) = retail_rows(tasks[:1])
    env = skyrl_gym.make("retail", extras=extras_of(row))
    with pytest.raises(ValueError, match="make the rows anew"):
        env.init([{"role": "developer", "content": "Be nice."}, row["prompt"][1]])


@pytest.mark.parametrize(
    ("answer", "reward", "read"),
    [
        ("<|channel|>final<|message|>48 + 24 = 72\n#### 72<|return|>", 1.0, 1.0),
        (THOUGHT.replace("Let me see.", "#### 1") + "<|channel|>final<|message|>#### 72<|return|>", 1.0, 1.0),
        (THOUGHT.replace("Let me see.", "#### 72") + "<|channel|>final<|message|>#### 1<|return|>", 0.0, 1.0),
        ("<|channel|>analysis<|message|>#### 72<|end|>", 0.0, 0.0),
        ("<|channel|>final<|message|>72<|return|>", 0.0, 1.0),
        ("<|channel|>final<|message|>#### 72", 0.0, 0.0),
        ("#### 72", 0.0, 0.0),
    ],
)
@pytest.mark.parametrize("tokens", [True, False])
def test_an_answer_is_what_the_final_message_says(answer, reward, read, tokens):
    (row,) = gsm8k_rows([PROBLEM])
    env = skyrl_gym.make("gsm8k_harmony", extras=extras_of(row, reader=LETTERS))
    assert env.init(row["prompt"]) == (row["prompt"], {})
    output = env.step(LETTERS.turn(encode(answer)) if tokens else answer)
    assert (output["reward"], output["done"]) == (reward, True)
    assert env.get_metrics() == {"accuracy": reward, "answer_read": read}


def test_a_model_without_harmony_answers_in_plain_text():
    (row,) = gsm8k_rows([PROBLEM])
    env = skyrl_gym.make("gsm8k_harmony", env_config=Gsm8kSettings(plain=True), extras=extras_of(row))
    assert env.step("48 + 24 = 72\n#### 72")["reward"] == 1.0
