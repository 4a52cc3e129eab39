"""What SkyRL accepts and then does wrong in silence, found before any GPU is rented.

    for sentence in mistakes(read_arguments("scaleout/skyrl/retail_gpt_oss.args")): ...

Each rule is a small function that yields one sentence for each mistake, and each sentence names the fix.
Names and types are checked against `keys.json`, so none of this needs SkyRL; `validate_with_skyrl` asks it
too where it is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec

from pipeline.harmony import EFFORTS
from scaleout.skyrl.arguments import Arguments, fits, known_keys, value_of
from scaleout.skyrl.settings import GSM8K, RETAIL, RetailSettings
from scaleout.skyrl.spellings import ENGINE, spelled

Rule = Callable[[Arguments], Iterable[str]]
TEMPLATE = "generator.chat_template_kwargs"
QUANTISED = ("openai/gpt-oss", "mxfp4", "bnb-4bit", "-gguf")


def mistakes(arguments: Arguments) -> list[str]:
    """Everything that is wrong, one sentence each; names and types come first, and alone."""
    wrong = [*names(arguments), *types(arguments)]
    return wrong or [sentence for rule in RULES for sentence in rule(arguments)]


def names(given: Arguments) -> Iterator[str]:
    """Every key is one of SkyRL 0.3's."""
    for key in given.texts:
        if fix := spelled(key):
            yield f"{key}: {fix}"


def types(given: Arguments) -> Iterator[str]:
    """Every value has its key's type: SkyRL takes any, and a text is true."""
    for key, text in given.texts.items():
        kind = known_keys().get(key, ("any", None))[0]
        try:
            if not fits(value := value_of(text), kind):
                yield f"{key}={text}: this is {type(value).__name__}, and must be {kind}"
        except ValueError as error:
            yield f"{key}: {error}"


def effort(given: Arguments) -> Iterator[str]:
    """The reasoning effort reaches the chat template."""
    template = given[TEMPLATE] or {}
    place = f"{TEMPLATE}={{reasoning_effort: low}}"
    nested = f"{TEMPLATE}.reasoning_effort"
    if any(":" in str(key) for key in template):
        yield f"{TEMPLATE}: YAML needs a space after the colon, or no effort is set: write {place}"
    elif "reasoning_effort" not in template and nested not in given:
        yield f"no reasoning effort is set, and the template's own is medium: write {place}"
    elif (found := template.get("reasoning_effort", given[nested])) not in EFFORTS:
        yield f"{TEMPLATE}: there is no effort {found!r}: write one of {', '.join(EFFORTS)}"
    if "tools" in template and given["environment.env_class"] == RETAIL:
        yield f"{TEMPLATE}: leave the tools out, the entrypoint puts the shop's own in"


def attention(given: Arguments) -> Iterator[str]:
    """GPT-OSS has attention sinks: no flash attention 2, and no samples packed into one row."""
    if given["trainer.flash_attn"]:
        yield "flash attention 2 knows no attention sinks: write trainer.flash_attn=false"
    if given["trainer.remove_microbatch_padding"]:
        yield "packed samples of GPT-OSS see each other: write trainer.remove_microbatch_padding=false"


def weights(given: Arguments) -> Iterator[str]:
    """The trainer reads plain BF16 weights."""
    path = given["trainer.policy.model.path"]
    if "trainer.policy.model.path" not in given:
        yield f"no model is named, and SkyRL's own is {path}: write trainer.policy.model.path=FOLDER"
    elif any(word in str(path).lower() for word in QUANTISED):
        yield (
            f"{path} has quantized weights, which cannot be trained: name a folder of BF16 weights, such as "
            "a copy of unsloth/gpt-oss-20b-BF16"
        )
    if given[f"{ENGINE}.model_dtype"] != "bfloat16":
        yield f"trainer and engine must have one precision: write {ENGINE}.model_dtype=bfloat16"
    if not given["trainer.bf16"]:
        yield "GPT-OSS-20B is trained in BF16: write trainer.bf16=true"


def engine(given: Arguments) -> Iterator[str]:
    """Who generates, and whether it has as many GPUs as the trainer."""
    if given[f"{ENGINE}.backend"] != "vllm":
        yield f"SkyRL 0.3 generates with vLLM only, whatever it accepts: write {ENGINE}.backend=vllm"
    if given["trainer.strategy"] not in ("fsdp", "megatron"):
        yield f"trainer.strategy={given['trainer.strategy']} is an old name: write trainer.strategy=fsdp"
    sizes = [f"{ENGINE}.{name}_parallel_size" for name in ("tensor", "pipeline", "data")]
    gpus = given[f"{ENGINE}.num_engines"]
    for size in sizes:
        gpus *= given[size]
    place = "trainer.placement.policy_num"
    policy = given[f"{place}_nodes"] * given[f"{place}_gpus_per_node"]
    if given["trainer.placement.colocate_all"] and policy != gpus:
        yield (
            f"the engines take {gpus} GPUs and the policy {policy}: with colocate_all they share them, so "
            f"write {place}_gpus_per_node={gpus // given[f'{place}_nodes']}, or change {ENGINE}.num_engines"
        )


def turns(given: Arguments) -> Iterator[str]:
    """A conversation keeps every token as it was, and has room."""
    retail = given["environment.env_class"] == RETAIL
    wanted = {
        "generator.batched": False,
        "generator.use_conversation_multi_turn": True,
        "generator.step_wise_trajectories": False,
        "generator.chat_template.name_or_path": None,
        "generator.sampling_params.stop": None,
    }
    for key, value in wanted.items():
        if given[key] != value:
            text = {True: "true", False: "false", None: "null"}[value]
            yield f"{key} would render or cut the conversation anew: write {key}={text}"
    if retail and given["generator.max_turns"] < 2:
        yield "a customer is served in several turns: write generator.max_turns=20"
    if not retail and given["generator.max_turns"] != 1:
        yield f"{GSM8K} is one answer: write generator.max_turns=1"


def lengths(given: Arguments) -> Iterator[str]:
    """What is read and written fits."""
    prompt, longest = given["trainer.max_prompt_length"], given["generator.max_input_length"]
    if given["generator.max_turns"] == 1 and longest not in (None, prompt):
        yield f"with one turn both are the same: write generator.max_input_length={prompt}"
    if given["generator.max_turns"] > 1 and (longest or 0) <= prompt:
        yield (
            "generator.max_input_length is the whole conversation with its tools, which max_prompt_length "
            f"does not count: write generator.max_input_length={max(12288, 2 * prompt)}"
        )
    model = (given[f"{ENGINE}.engine_init_kwargs"] or {}).get("max_model_len")
    needed = (longest or prompt) + given["generator.sampling_params.max_generate_length"]
    if model is not None and model < needed:
        yield f"the engine's max_model_len={model} ends turns early: give it {needed} at least"


def sampling(given: Arguments) -> Iterator[str]:
    """Groups that can differ, and evaluation as it was meant."""
    if (
        given["generator.n_samples_per_prompt"] < 2
        and given["trainer.algorithm.advantage_estimator"] == "grpo"
    ):
        yield "a group of one has no advantage to learn from: write generator.n_samples_per_prompt=4"
    if given["generator.sampling_params.temperature"] == 0:
        yield "greedy groups are all alike: write generator.sampling_params.temperature=1.0"
    start = "generator.eval_sampling_params"
    if given.under(start):
        for name in ("temperature", "max_generate_length"):
            if f"{start}.{name}" not in given:
                default = known_keys()[f"{start}.{name}"][1]
                yield f"with any {start} set, {start}.{name} becomes {default}: write it down"
    if given["trainer.algorithm.zero_variance_filter"]:
        yield (
            "trajectories are rewarded by token, for which the filter does nothing: write "
            "trainer.algorithm.zero_variance_filter=false"
        )


def batches(given: Arguments) -> Iterator[str]:
    """Batches that can be divided."""
    train, mini = given["trainer.train_batch_size"], given["trainer.policy_mini_batch_size"]
    if mini < 1 or train % mini:
        yield f"trainer.train_batch_size={train} is no multiple of trainer.policy_mini_batch_size={mini}"


def worlds(given: Arguments) -> Iterator[str]:
    """An environment of this project's, rewarded by a profile there is."""
    world = given["environment.env_class"]
    if world not in (RETAIL, GSM8K):
        hint = f"; skyrl-gym's own gsm8k reads the thoughts too, {GSM8K} does not" if world == "gsm8k" else ""
        yield f"environment.env_class={world}: write {RETAIL} or {GSM8K}{hint}"
    try:
        RetailSettings(given["environment.skyrl_gym.retail.reward"])
    except ValueError as error:
        yield str(error)


def records(given: Arguments) -> Iterator[str]:
    """What is left of a run."""
    if given["trainer.logger"] == "wandb" and "trainer.logger" not in given:
        yield "SkyRL logs to Weights & Biases unless told otherwise: write trainer.logger=tensorboard"
    for key in ("trainer.ckpt_path", "trainer.export_path"):
        if key not in given:
            yield f"SkyRL writes into the home folder, all runs into one: write {key}=outputs/RUN/…"
    if not given["trainer.dump_eval_results"]:
        yield "without dumped evaluations nobody can look at episodes: write trainer.dump_eval_results=true"


RULES: tuple[Rule, ...] = (
    effort,
    attention,
    weights,
    engine,
    worlds,
    turns,
    lengths,
    sampling,
    batches,
    records,
)


def validate_with_skyrl(arguments: Arguments) -> str:
    """SkyRL's own validation where it is installed; its complaint is a ValueError."""
    if find_spec("skyrl") is None:
        return "SkyRL is not installed here: its own validation was not asked"
    from scaleout.skyrl.entrypoint import config_of

    try:
        config_of(arguments.overrides)
    except AssertionError as error:
        raise ValueError(f"SkyRL refuses this: {error or 'a size must divide another'}") from error
    return "SkyRL's own validation agrees"
