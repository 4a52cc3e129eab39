"""Takes a trained model out of the run: adapter and merged model, loaded again and compared; GGUF file.

    exports = export_model(config, run / "grpo" / "best", run / "export")
    exports_table(exports)                                     # what was written, and how close it is

    python -m pipeline.export --run demo --stage grpo

An export that was never loaded again is a hope, so adapter and merged model are: they read the first prompts
of held-out tasks beside the model they came from, and the largest difference of any logit is reported with
the share of equal answers. A GGUF file is llama.cpp's to load: serve it and evaluate it. What a profile
cannot write says why.

| form | what it is for | on a CPU | on a GPU |
| --- | --- | --- | --- |
| adapter | PEFT, vLLM's LoRA, going on with training | yes | yes |
| merged | one model for vLLM, transformers | yes, into the base without its four bits | yes, 16 bits |
| gguf | llama.cpp, Ollama | no: Unsloth writes it on a GPU | yes |
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envs.retail.database import Shop
from envs.retail.files import FileError, whole_folder
from pipeline.config import Config, from_command_line, with_changes
from pipeline.model import ModelError
from pipeline.report import left_aligned
from pipeline.steps import generate, held_out_steps
from pipeline.troubles import clear_errors

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

FORMS = ("adapter", "merged", "gguf")
PROMPTS = 8


class NotWritten(Exception):
    """A form that this machine cannot write; says why."""


@dataclass(frozen=True)
class Export:
    """What was written in one form, and how it compares with what it was made from."""

    form: str
    folder: Path | None  # None: not written
    note: str
    largest_difference: float | None = None  # of any logit of any prompt
    same_answers: float | None = None  # the share of prompts with the same greedy answer

    @property
    def megabytes(self) -> float:
        """What it weighs on disk."""
        files = self.folder.rglob("*") if self.folder else ()
        return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def export_model(
    config: Config, adapter: Path, folder: Path, forms: Sequence[str] = FORMS, prompts: int = PROMPTS
) -> list[Export]:
    """Write a stage's adapter in these forms, load each again and compare it.

    Args:
        config: The run's config.
        adapter: The stage's adapter.
        folder: Where `adapter/`, `merged/` and `gguf/` go; what is there is written anew. A form gets its
            name once it is whole and compared: what a killed export leaves is never taken for that.
        forms: Some of `FORMS`.
        prompts: How many held-out prompts are compared.
    """
    unknown = sorted(set(forms) - set(FORMS))
    if unknown:
        raise ValueError(f"unknown form {', '.join(unknown)}; there are {', '.join(FORMS)}")
    questions = [step.prompt for step in held_out_steps(Shop.load(), config, prompts)][:prompts]
    write = {"adapter": _adapter, "merged": _merged, "gguf": _gguf}
    exports = []
    for form in forms:
        try:
            with whole_folder(folder / form) as new:
                export = write[form](config, adapter, new, questions)
        except NotWritten as reason:
            shutil.rmtree(folder / form, ignore_errors=True)  # an earlier export's is of another model
            exports.append(Export(form, None, str(reason)))
        else:
            exports.append(replace(export, folder=folder / form))
    return exports


def _adapter(config: Config, adapter: Path, folder: Path, prompts: Sequence[str]) -> Export:
    from pipeline.model import load_model

    shutil.copytree(adapter, folder, dirs_exist_ok=True)
    model, tokenizer = load_model(config, adapter)
    again, _ = load_model(config, folder)
    difference, same = agreement(model, again, tokenizer, prompts, config)
    return Export("adapter", folder, "the LoRA adapter with its tokenizer", difference, same)


def _merged(config: Config, adapter: Path, folder: Path, prompts: Sequence[str]) -> Export:
    """One model with the adapter's changes in its weights."""
    import torch

    from pipeline.model import load_model

    if torch.cuda.is_available():
        model, tokenizer = load_model(config, adapter)
        model.save_pretrained_merged(str(folder), tokenizer, save_method="merged_16bit")
        note = "written by Unsloth in 16 bits; the base is its 16-bit one"
    else:
        model, tokenizer = load_model(with_changes(config, load_in_4bit=False), adapter)
        note = "merged into the base as it was before the four bits"
    logits = _logits(model, tokenizer, prompts)
    answers = _answers(model, tokenizer, prompts, config)
    if not torch.cuda.is_available():
        model.merge_and_unload().save_pretrained(str(folder))
        tokenizer.save_pretrained(str(folder))
    del model  # two of the 20B at once are too much for most machines
    again = _plain(folder)
    return Export("merged", folder, note, *_compared(logits, answers, again, tokenizer, prompts, config))


def _gguf(config: Config, adapter: Path, folder: Path, prompts: Sequence[str]) -> Export:
    """A file for llama.cpp and Ollama; nothing here can load it, so nothing is compared."""
    import torch

    if not torch.cuda.is_available():
        raise NotWritten("Unsloth writes GGUF on a GPU: use a GPU profile, or convert `merged`")
    from pipeline.model import load_model

    model, tokenizer = load_model(config, adapter)
    work = folder / "work"  # Unsloth merges into the folder it is given, and puts the GGUF beside that folder
    written = model.save_pretrained_gguf(str(work / "merged"), tokenizer)
    files = [Path(file) for file in written["gguf_files"]]
    if not files or not all(map(_is_gguf, files)):
        raise NotWritten("Unsloth left no GGUF file: its output says why")
    for file in files:
        shutil.move(file, folder / file.name)
    shutil.rmtree(work)
    return Export("gguf", folder, "serve it and compare: `python -m pipeline.evaluate run --endpoint …`")


def _is_gguf(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(4) == b"GGUF"


def _plain(folder: Path) -> Any:
    """A saved model by transformers alone, as anybody would load it; on a GPU in the 16 bits it has."""
    import torch
    from transformers import AutoModelForCausalLM

    from pipeline import cpu_attention

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        return AutoModelForCausalLM.from_pretrained(folder, dtype="auto", device_map="auto")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    model.set_attn_implementation(cpu_attention.register())
    return model


def agreement(
    model: Any, other: Any, tokenizer: Any, prompts: Sequence[str], config: Config
) -> tuple[float, float]:
    """The largest difference of any logit on the prompts, and the share of equal greedy answers."""
    logits, answers = _logits(model, tokenizer, prompts), _answers(model, tokenizer, prompts, config)
    return _compared(logits, answers, other, tokenizer, prompts, config)


def _compared(
    logits: list[Any],
    answers: list[list[int]],
    other: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    config: Config,
) -> tuple[float, float]:
    others = _logits(other, tokenizer, prompts)
    difference = max(float((a - b).abs().max()) for a, b in zip(logits, others, strict=True))
    equal = [a == b for a, b in zip(answers, _answers(other, tokenizer, prompts, config), strict=True)]
    return difference, sum(equal) / len(equal)


def _logits(model: Any, tokenizer: Any, prompts: Sequence[str]) -> list[Any]:
    """The logits after every token of each prompt."""
    import torch

    model.eval()
    ids = [
        tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"] for prompt in prompts
    ]
    with torch.no_grad():
        return [model(input_ids=one.to(model.device)).logits[0].float().cpu() for one in ids]


def _answers(model: Any, tokenizer: Any, prompts: Sequence[str], config: Config) -> list[list[int]]:
    from pipeline.model import prepare_generation

    prepare_generation(model, tokenizer)
    return generate(model, tokenizer, prompts, config.max_turn_length)


def exports_table(exports: Sequence[Export]) -> Styler:
    """What was written, how large it is, and how close to the model it came from."""
    rows = [
        (
            export.form,
            f"{export.megabytes:,.1f} MB" if export.folder else "not written",
            "" if export.largest_difference is None else f"{export.largest_difference:.2g}",
            "" if export.same_answers is None else f"{export.same_answers:.0%}",
            export.note,
        )
        for export in exports
    ]
    return left_aligned(rows, ["form", "size", "largest logit difference", "same answers", "note"])


def main(argv: Sequence[str] | None = None) -> int:
    """Export a stage of a run from the command line."""
    from pipeline.evaluate import stage_adapter
    from pipeline.runs import run_folder

    parser = argparse.ArgumentParser(prog="python -m pipeline.export", description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, help="name of the run folder under outputs/")
    parser.add_argument("--stage", default="grpo", help="sft or grpo")
    parser.add_argument("--forms", nargs="+", default=list(FORMS), choices=FORMS)
    options, config = from_command_line(parser, list(argv) if argv is not None else None)
    with clear_errors(parser, OSError):
        run = run_folder(options.run, make=False)
        adapter = stage_adapter(run, options.stage)
    if adapter is None:
        parser.error("the base is no export: name a stage that was trained")
    with clear_errors(parser, ModelError, FileError):
        exports = export_model(config, adapter, run / "export", options.forms)
    for export in exports:
        where = export.folder or "not written"
        told = "" if export.largest_difference is None else f", logits within {export.largest_difference:.2g}"
        print(f"{export.form}: {where}{told} ({export.note})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
