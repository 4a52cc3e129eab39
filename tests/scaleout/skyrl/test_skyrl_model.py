"""With transformers and torch: the effort in the chat template, attentions compared, a folder looked at."""

import json
import math
from importlib.util import find_spec

import pytest

from pipeline.harmony import EFFORTS, System, User, render
from scaleout.skyrl import bench_attention, check_model
from scaleout.skyrl.arguments import read_arguments
from scaleout.skyrl.launch import ROOT
from scaleout.skyrl.prompts import check_prompts, prompt_length
from scaleout.skyrl.serving import opening, tools

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(not (find_spec("torch") and find_spec("transformers")), reason="needs transformers"),
]
FILES = sorted((ROOT / "scaleout" / "skyrl").glob("*.args"))


@pytest.fixture(scope="module")
def tokenizer(tiny_base):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_base)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("effort", EFFORTS)
def test_the_effort_of_an_argument_file_is_in_the_system_message(file, effort, tokenizer):
    written = f"generator.chat_template_kwargs={{reasoning_effort: {effort}}}"
    kwargs = read_arguments(file, [written])["generator.chat_template_kwargs"]
    text = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False, **kwargs)
    assert f"\n\nReasoning: {effort}\n\n" in text.split("<|end|>")[0]


def test_without_the_space_the_effort_is_silently_lost(tokenizer):
    """Why the check exists: the published spelling leaves the template at its own choice."""
    kwargs = read_arguments(FILES[0], ["generator.chat_template_kwargs={reasoning_effort:'low'}"])
    lost = kwargs["generator.chat_template_kwargs"]
    assert lost == {"reasoning_effort:'low'": None}
    text = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False, **lost)
    assert "Reasoning: medium" in text


def test_prompts_are_counted_with_their_tools(tasks, tokenizer):
    kwargs = {"reasoning_effort": "low", "tools": tools()}
    rows = [(opening(task), "retail") for task in tasks]
    longest = max(prompt_length(prompt, tokenizer, kwargs) for prompt, _ in rows)
    assert longest != max(prompt_length(prompt, tokenizer, {}) for prompt, _ in rows), "SkyRL's own count"
    assert check_prompts(rows, tokenizer, kwargs, "retail", longest + 256) == longest
    with pytest.raises(ValueError, match=f"has {longest} tokens with its tools; set"):
        check_prompts(rows, tokenizer, kwargs, "retail", longest + 255)
    with pytest.raises(ValueError, match="row 0 is for 'retail', but"):
        check_prompts(rows, tokenizer, kwargs, "gsm8k_harmony", 10_000)


@pytest.fixture(scope="module")
def small():
    from transformers import GptOssConfig

    return GptOssConfig(
        hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=16, sliding_window=8
    )


def test_attentions_are_measured_and_compared(small):
    names = ("eager", "fused_sinks")
    rows = bench_attention.measure(small, [24], repeats=1, implementations=names)
    assert [(row.kind, row.implementation) for row in rows] == [
        (kind, name) for kind in bench_attention.KINDS for name in names
    ]
    for row in rows:
        assert row.seconds > 0 and "not measured" in str(row), "peak memory is a GPU's"
        assert row.difference == 0.0 if row.implementation == "eager" else row.difference < 1e-5


@pytest.mark.slow  # flex attention is compiled before it is refused
def test_what_cannot_be_run_has_a_row_that_says_why(small):
    rows = bench_attention.measure(small, [24], repeats=1, implementations=["flex_attention"])
    for row in rows:
        assert row.why_not and row.seconds is None, "transformers has no sinks with flex on a CPU"
        assert "cannot be run: ValueError" in str(row) and "\n" not in str(row)


def test_sinks_and_window_are_in_what_is_compared(small):
    """Left out, either would show: the numbers are about GPT-OSS's attention and no other."""
    import copy

    cases = [bench_attention._Case(small, "sliding_attention", 24, "cpu", "float32") for _ in range(2)]
    cases[1].layer.sinks.data.fill_(-math.inf)
    assert (cases[0]("eager")[0] - cases[1]("eager")[0]).abs().max() > 1e-4
    wide = copy.deepcopy(small)
    wide.sliding_window = 24
    other = bench_attention._Case(wide, "sliding_attention", 24, "cpu", "float32")
    assert (cases[0]("eager")[0] - other("eager")[0]).abs().max() > 1e-6


def test_a_folder_that_is_no_gpt_oss_is_refused(tmp_path, capsys):
    assert bench_attention.main(["--model", str(tmp_path)]) == 2
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2"}))
    assert bench_attention.main(["--model", str(tmp_path)]) == 2
    assert "this is about GPT-OSS's attention" in capsys.readouterr().err
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "qwen2", "quantization_config": {}, "dtype": "float16"})
    )
    assert check_model.main([str(tmp_path)]) == 2
    said = capsys.readouterr().out
    for word in ("qwen2 model", "quantized", "float16", "no tokenizer.json"):
        assert word in said


def test_the_tiny_base_can_be_used(tiny_base, capsys):
    assert check_model.main([tiny_base, "--tokens", "12"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for effort, line in zip(EFFORTS, lines, strict=False):
        assert line.startswith(effort) and f"Reasoning: {effort}" in line
    assert lines[-1] == f"verdict: {tiny_base} can be used"


def test_a_prompt_that_does_not_change_with_the_effort_is_a_fault():
    prompt = render([System("low"), User(check_model.QUESTION)], generation_prompt=True)
    same = [check_model.Reply(effort, prompt, 3, 0, True, True) for effort in EFFORTS]
    found = check_model.faults_of(same)
    assert "two efforts have the same prompt" in found
    assert "at effort high the prompt is not the project's" in found
