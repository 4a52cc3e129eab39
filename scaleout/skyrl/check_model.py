"""Look at a model's folder before eight GPUs do: does it load, does the effort reach it, does it stop.

    python -m scaleout.skyrl.check_model data/tiny_base
    python -m scaleout.skyrl.check_model models/gpt-oss-20b-BF16 --question "What is 17 * 23?" --tokens 2048

Asks one question at each reasoning effort, and prints what the prompt said and how much was thought and said.
The last line is a verdict: what SkyRL needs of the folder must hold. That a higher effort thinks longer is
told but not demanded: an untrained or tiny model does not know.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envs.retail.files import read_json
from envs.retail.tools import TOOLS
from pipeline.harmony import DATE, EFFORTS, Analysis, System, User, render
from pipeline.harmony_chat import chat_template
from pipeline.harmony_parse import Vocabulary, parse
from pipeline.model import STOPS

QUESTION = "Mia has 24 marbles and buys 3 bags of 12. How many does she have now?"


@dataclass(frozen=True)
class Reply:
    """What the model wrote at one effort."""

    effort: str
    prompt: str
    tokens: int
    thought_words: int
    ended: bool  # by itself, not by the limit
    readable: bool

    def __str__(self) -> str:
        said = [line for line in self.prompt.split("\n") if line.startswith("Reasoning:")]
        end = "ended by itself" if self.ended else "cut at the limit"
        read = "readable" if self.readable else "not readable"
        wrote = f"{self.tokens} tokens, {self.thought_words} words of thought, {end}, {read}"
        return f"{self.effort:7} the prompt says {said}; {wrote}"


def problems_of(folder: Path) -> list[str]:
    """What in a folder's files SkyRL could not use; nothing is loaded for it."""
    if not (folder / "config.json").is_file():
        return [f"{folder} holds no config.json"]
    config, found = read_json(folder / "config.json"), []
    if config.get("model_type") != "gpt_oss":
        found.append(f"it is a {config.get('model_type')} model; only gpt_oss writes harmony")
    if "quantization_config" in config:
        found.append("its weights are quantized and cannot be trained: save them as BF16")
    if (dtype := config.get("dtype") or config.get("torch_dtype")) not in ("bfloat16", None):
        found.append(f"its weights are {dtype}: save them as bfloat16")
    if not (folder / "tokenizer.json").is_file():
        found.append("it has no tokenizer.json: save the tokenizer beside the weights")
    return found


def replies(folder: Path, question: str = QUESTION, tokens: int = 256) -> list[Reply]:
    """One question at each effort, answered greedily."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = chat_template()  # as training sets it
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", attn_implementation="eager")
    model = model.to(device).eval()
    return [_reply(model, tokenizer, effort, question, tokens) for effort in EFFORTS]


def _reply(model: Any, tokenizer: Any, effort: str, question: str, tokens: int) -> Reply:
    import torch

    vocabulary = Vocabulary.of(tokenizer)
    ends = [token for token, text in vocabulary.specials.items() if text in STOPS]
    chat = [{"role": "user", "content": question}]
    prompt = tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, tokenize=False, reasoning_effort=effort
    )
    ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").to(model.device)
    with torch.inference_mode():
        output = model.generate(**ids, max_new_tokens=tokens, do_sample=False, eos_token_id=ends)
    written = output[0, ids["input_ids"].shape[1] :].tolist()
    parsed = parse(written, TOOLS, vocabulary)
    words = sum(len(m.text.split()) for m in parsed.messages if isinstance(m, Analysis))
    return Reply(effort, prompt, len(written), words, bool(written) and written[-1] in ends, parsed.ok)


def faults_of(found: list[Reply], question: str = QUESTION) -> list[str]:
    """What in the replies would make training pointless."""
    wrong = [
        f"at effort {one.effort} the prompt is not the project's"
        for one in found
        if one.prompt != render([System(one.effort, DATE), User(question)], generation_prompt=True)
    ]
    if len({one.prompt for one in found}) < len(found):
        wrong.append("two efforts have the same prompt")
    if not any(one.tokens for one in found):
        wrong.append("it writes nothing")
    return wrong


def main(argv: list[str] | None = None) -> int:
    """Print what was found, and the verdict; exit code 2 if the folder cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m scaleout.skyrl.check_model", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--question", default=QUESTION)
    parser.add_argument("--tokens", type=int, default=256, help="the longest answer")
    options = parser.parse_args(argv)
    wrong = problems_of(options.folder)
    if not wrong:
        found = replies(options.folder, options.question, options.tokens)
        print(*found, sep="\n")
        wrong = faults_of(found, options.question)
        longer = [one.tokens for one in found]
        told = "more at higher effort" if longer == sorted(set(longer)) else "not more at higher effort"
        print(f"it wrote {', '.join(map(str, longer))} tokens at {', '.join(EFFORTS)}: {told}")
    print(f"verdict: {options.folder} " + (f"cannot be used: {'; '.join(wrong)}" if wrong else "can be used"))
    return 2 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
