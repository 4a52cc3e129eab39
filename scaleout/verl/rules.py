"""What verl 0.9.1 accepts in silence and a run would pay for: each rule is one sentence that names the fix.

    problems(settings)        # ["data.max_prompt_length is 512: …", …]; none is how it should be

Every rule stands for something that was seen to happen: no error, a run that goes on, and a reward that never
moves. A rule is a function of the settings that gives its sentence, or None.
"""

from collections.abc import Callable
from pathlib import Path

from envs.retail.files import read_json
from scaleout.verl.export import OURS
from scaleout.verl.rows import LOOPS
from scaleout.verl.rules_training import ROLLOUT, TRAINING
from scaleout.verl.settings import DEFAULTS, Settings, model_type

Rule = Callable[[Settings], str | None]
MODEL = "actor_rollout_ref.model"
LOOP = f"{ROLLOUT}.agent.default_agent_loop"
LOOP_FILE = f"{ROLLOUT}.agent.agent_loop_config_path"
TURN = f"{ROLLOUT}.multi_turn"
# Policy and sixteen tools: 2,900 tokens in harmony, about 4,200 for Qwen.
PROMPT, PROMPT_OF_OTHERS = 4096, 6144
# Tokens after the prompt: 99 % of 800 demonstrations have at most 4,690, without much thought.
RESPONSE = 6144
ANSWER = 4096  # characters: the longest look-up answers with 2,915


NUMBERS = (
    *(name for name, default in DEFAULTS.items() if type(default) in (int, float)),
    f"{ROLLOUT}.max_model_len",
)


def is_gpt_oss(settings: Settings) -> bool:
    """Whether the rules for gpt-oss apply."""
    return model_type(settings) == "gpt_oss"


# tools


def agent_loop(settings: Settings) -> str | None:
    """Without a loop for tools, nothing ever calls one."""
    loop = settings[LOOP]
    if loop not in LOOPS:
        return f"{LOOP} is {loop!r}, so no tool is ever called: set it to retail_agent or retail_tools"
    if loop == "retail_agent" and not is_gpt_oss(settings):
        return f"{LOOP} is retail_agent, which speaks harmony: for other models than gpt-oss use retail_tools"
    return None


def agent_loop_file(settings: Settings) -> str | None:
    """Our loops are known only through their file."""
    if settings[LOOP] in OURS and not settings.is_set(LOOP_FILE):
        return (
            f"{LOOP_FILE} is not set, so {settings[LOOP]} is unknown: "
            "point it to the exported agent_loops.yaml"
        )
    return None


def tool_file(settings: Settings) -> str | None:
    """The tools belong to the prompt, and to the length that prompts are filtered by."""
    if not settings.is_set(f"{TURN}.tool_config_path"):
        return (
            f"{TURN}.tool_config_path is not set, so the agent has no tools: "
            "point it to the exported tools.yaml"
        )
    return None


def parser(settings: Settings) -> str | None:
    """The parser must read what the model writes."""
    found = settings[f"{TURN}.format"]
    if is_gpt_oss(settings) and found != "gpt-oss-harmony":
        read = "reads one of gpt-oss's four call forms" if found == "gpt-oss" else "reads no call of gpt-oss"
        return f"{TURN}.format is {found!r}, which {read}: set it to gpt-oss-harmony"
    if not is_gpt_oss(settings) and str(found).startswith("gpt-oss"):
        return (
            f"{TURN}.format is {found!r}, but the model is no gpt-oss: set it to its family's, such as hermes"
        )
    return None


def answers_whole(settings: Settings) -> str | None:
    """verl cuts long answers of tools."""
    most = settings[f"{TURN}.max_tool_response_length"]
    if most is not None and most < ANSWER:
        return (
            f"{TURN}.max_tool_response_length is {most} characters, so answers of tools are cut: "
            f"set it to at least {ANSWER}"
        )
    return None


# lengths


def prompt_length(settings: Settings) -> str | None:
    """Prompts that are too long are filtered out before the run, all of them."""
    least = PROMPT if is_gpt_oss(settings) else PROMPT_OF_OTHERS
    most = settings["data.max_prompt_length"]
    if most is not None and most < least:
        return (
            f"data.max_prompt_length is {most}, too short for policy and tools, so every row is filtered out "
            f"or cut: set it to at least {least}"
        )
    return None


def response_length(settings: Settings) -> str | None:
    """The response is the whole episode."""
    most = settings["data.max_response_length"]
    if most is not None and most < RESPONSE:
        return (
            f"data.max_response_length is {most}, but it has to hold all turns and all answers of tools: "
            f"set it to at least {RESPONSE}"
        )
    return None


def context_length(settings: Settings) -> str | None:
    """A server with less room than prompt and response ends episodes early."""
    room, prompt = settings[f"{ROLLOUT}.max_model_len"], settings["data.max_prompt_length"]
    response = settings["data.max_response_length"]
    if None not in (room, prompt, response) and room < prompt + response:
        return (
            f"{ROLLOUT}.max_model_len is {room}, less than prompt and response together: "
            f"set it to at least {prompt + response}, or leave it out"
        )
    return None


def filtered(settings: Settings) -> str | None:
    """A prompt that is too long loses its beginning: the system message."""
    if not settings["data.filter_overlong_prompts"]:
        return "data.filter_overlong_prompts is off, so too long prompts lose their beginning: set it to true"
    return None


# gpt-oss


def padding(settings: Settings) -> str | None:
    """transformers' gpt-oss ignores where a packed sample begins."""
    if is_gpt_oss(settings) and settings[f"{MODEL}.use_remove_padding"]:
        return f"{MODEL}.use_remove_padding is on: packed samples of gpt-oss see each other; set it to false"
    return None


def attention(settings: Settings) -> str | None:
    """Flash attention has no sinks; transformers would fetch another kernel from the hub instead."""
    name = f"{MODEL}.override_config.attn_implementation"
    if is_gpt_oss(settings) and settings[name] != "eager":
        return f"{name} is {settings[name]!r}, which does not keep gpt-oss's attention sinks: set it to eager"
    return None


def quantized(settings: Settings) -> str | None:
    """verl trains plain weights."""
    folder = Path(str(settings[f"{MODEL}.path"] or "")).expanduser()
    if (folder / "config.json").is_file() and "quantization_config" in read_json(folder / "config.json"):
        return f"{MODEL}.path holds quantized weights: give a folder that was merged to bfloat16"
    return None


RULES: tuple[Rule, ...] = (
    agent_loop,
    agent_loop_file,
    tool_file,
    parser,
    answers_whole,
    prompt_length,
    response_length,
    context_length,
    filtered,
    padding,
    attention,
    quantized,
    *TRAINING,
)


def problems(settings: Settings) -> list[str]:
    """The sentences of all rules that are broken; what is no number comes first, and alone."""
    return no_numbers(settings) or [sentence for rule in RULES if (sentence := rule(settings))]


def no_numbers(settings: Settings) -> list[str]:
    """What the rules could not compare."""
    return [
        f"{name} is {value!r}, and must be a number: write it out"
        for name in NUMBERS
        if isinstance(value := settings[name], str)
    ]
