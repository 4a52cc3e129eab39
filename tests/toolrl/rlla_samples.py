"""Made-up rows in the shape of ToolRL's data, each with what must become of it."""

import json
import random
from typing import Any, NamedTuple

_HEAD = """You are a helpful multi-turn dialogue assistant that can use tools to solve user tasks.

**Available Tools**
In your response, you can use the following tools:
"""
_TAIL = """

**Steps for Each Turn**
1. **Think:** Recall relevant context and analyze the current user goal.

**Output Format**
```plaintext
<think> Your thoughts and reasoning </think>
<tool_call>
{"name": "Tool name", "parameters": {"Parameter name": "Parameter content"}}
</tool_call>
<response> AI's final response </response>
```

**Important Notes**
1. You must always include the `<think>` field. Decide whether to use `<tool_call>`, `<response>`, or both."""
_NAMES = ["get_order", "Get Order", "Get.Order", "GetOrder", "ΔSearch", "products/list", ".02do", "_under_"]
_NAMES += [
    "6-Day: Forecast (USD)",
    "a" * 80,
    "a" * 81,
    "Search\u00a0Pins",
    "convert-currency",
    "Wetter für heute",
]
_TYPES = ["string", "str", "int", "int, optional", "List[float]", "Tuple[float, float]", "dict", "boolean"]
_TYPES += ["Callable[[float], float]", "List[Union[int, float]]", ["string", "null"], "Weather"]
_VALUES = [
    "Berlin",
    3,
    2.5,
    True,
    None,
    [1, 2],
    {"a": {"b": "ü"}},
    'quo"te',
    "line\nbreak",
    "<|call|> typed",
    "<¦|",
]
_PARAMETERS = ["city", "date", ".S96iBzF", "7SN.pj", "x y"]
FAULTS = {  # what is wrong with a row -> the kind of reject
    "undeclared tool": "undeclared tool",
    "undeclared parameter": "undeclared parameter",
    "duplicate tool": "duplicate tool",
    "broken call": "call",
    "no thoughts": "answer",
    "neither call nor reply": "answer",
    "no tools section": "instruction",
    "broken dialogue": "history",
    "broken tool": "instruction",
}


class Sample(NamedTuple):
    """A row, the calls and the reply of its answer, and what is wrong with it."""

    row: dict[str, Any]
    calls: list[tuple[str, dict[str, Any]]]
    reply: str | None
    fault: str | None


def samples(count: int, seed: int = 0, faults: float = 0.1) -> list[Sample]:
    """Rows of every kind, a share of them with a fault."""
    rng = random.Random(seed)
    return [
        _sample(rng, number, rng.choice(list(FAULTS)) if rng.random() < faults else None)
        for number in range(count)
    ]


def _sample(rng: random.Random, number: int, fault: str | None) -> Sample:
    tools = {name: _parameters(rng) for name in rng.sample(_NAMES, rng.randrange(1, 6))}
    calls = [_call(rng, tools) for _ in range(rng.choice((0, 1, 1, 1, 2, 3)))]
    if fault in ("undeclared tool", "undeclared parameter", "broken call"):
        calls = calls or [_call(rng, tools)]
    reply = None if calls and rng.random() < 0.9 else "Here you are.\n\nIs it right?"
    declared = _declared(tools)
    if fault == "duplicate tool":
        declared += f"\n{len(tools) + 1}. Name: {next(iter(tools))}\nDescription: twice\nParameters: {{}}"
    if fault == "broken tool":
        declared = declared.replace("Parameters: {", "Parameters: {{", 1)
    system = f"{_HEAD}{declared}{_TAIL}"
    if fault == "no tools section":
        system = system.replace("**Available Tools**", "**Tools**")
    if fault == "undeclared tool":
        calls[-1] = ("Nobody knows", {})
    if fault == "undeclared parameter":
        calls[-1] = (calls[-1][0], {**calls[-1][1], "nobody knows": 1})
    answer, history = _answer(rng, calls, reply, fault), _history(rng, tools)
    if fault == "broken dialogue":
        history += "\n<think> I am not asked"
    return Sample(_row(system, history, answer, number), calls, reply, fault)


def _parameters(rng: random.Random) -> dict[str, Any]:
    names = rng.sample(_PARAMETERS, rng.randrange(len(_PARAMETERS)))
    default = ["", "", 7, "x"]
    return {
        n: {"description": f"the {n}", "type": rng.choice(_TYPES), "default": rng.choice(default)}
        for n in names
    }


def _call(rng: random.Random, tools: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    name = rng.choice(list(tools))
    return name, {parameter: rng.choice(_VALUES) for parameter in tools[name] if rng.random() < 0.8}


def _declared(tools: dict[str, Any]) -> str:
    blocks = [
        f"{number}. Name: {name}\nDescription: Does it.\nSee 2. Name: below.\nParameters: {json.dumps(spec)}"
        for number, (name, spec) in enumerate(tools.items(), 1)
    ]
    return "\n".join(blocks)


def _lines(calls: list[tuple[str, dict[str, Any]]]) -> str:
    return "\n".join(json.dumps({"name": name, "parameters": values}) for name, values in calls)


def _answer(rng: random.Random, calls: list[Any], reply: str | None, fault: str | None) -> str:
    thought = rng.choice(
        ["I should call.", "Then a <tool_call> block or <response> follows.", "Two\nlines.", ""]
    )
    parts = [] if fault == "no thoughts" else [f"<think> {thought} </think>"]
    if calls:
        block = _lines(calls)
        parts.append(f"<tool_call>\n{block[:-1] if fault == 'broken call' else block}\n</tool_call>")
    if reply is not None:
        parts.append(f"<response> {reply} </response>")
    return "\n".join(parts[:1] if fault == "neither call nor reply" else parts)


def _history(rng: random.Random, tools: dict[str, Any]) -> str:
    parts = ["**Dialogue Records History**\n<user> What about Berlin? </user>"]
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        calls = [_call(rng, tools) for _ in range(rng.choice((1, 1, 2)))]
        results = [{"name": name, "results": {"n": 1, "tag": "<think>"}} for name, _ in calls]
        parts.append(f"\n<think> I look. </think>\n<tool_call>\n{_lines(calls)}\n</tool_call>")
        parts.append(f"<obs> {json.dumps(results)} </obs>")
        if rng.random() < 0.7:
            parts.append("\n<think> I tell. </think>\n<response> It is so. </response>")
            parts.append("\n<user> And now? </user>")
    return "\n".join(parts)


def _row(system: str, user: str, answer: str, number: int) -> dict[str, Any]:
    return {
        "data_source": "rlla",
        "prompt": [{"role": "system", "content": system}, {"role": "user", "content": user}],
        "ability": "math",
        "reward_model": {"ground_truth": answer, "style": "rule"},
        "extra_info": {
            "index": number,
            "input": user,
            "instruction": system,
            "output": answer,
            "split": "train",
        },
    }
