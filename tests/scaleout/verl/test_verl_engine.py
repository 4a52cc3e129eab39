"""verl 0.9.1's own code with our plugins: composition, dataset, tools, parser. Needs verl.

Run in an environment of requirements-scaleout-verl.txt: `python -m pytest tests/scaleout/verl`.
"""

import asyncio
import json

import pytest

pytest.importorskip("verl.trainer", reason="needs verl: pip install -r requirements-scaleout-verl.txt")

from verl_samples import BOTH_FORMS, RECIPES, ROOT, TINY, tasks, written_turns
from verl_served import composed, tokenizer

from envs.retail.tasks import Task
from envs.retail.tools import TOOLS, schemas
from pipeline.datasets import system_messages
from pipeline.harmony import Analysis, Call, Final, User, render
from pipeline.harmony_parse import Vocabulary, parse
from scaleout.verl.check import check
from scaleout.verl.export import export
from scaleout.verl.settings import DEFAULTS, Settings

pytestmark = [pytest.mark.torch, pytest.mark.slow]

GPT = RECIPES / "gpt_oss_20b_grpo.yaml"


# configuration


def test_the_gpt_oss_recipe_composes_anywhere_and_verl_validates_it(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checked = check(GPT, [f"retail.data={data}", f"retail.model={TINY}"])
    assert checked.with_verl and checked.problems == ()


@pytest.mark.parametrize("name", ["qwen2_5_3b_ppo", "qwen2_5_3b_grpo"])
def test_the_qwen_recipes_compose_anywhere_and_verl_validates_them(name, tmp_path, monkeypatch):
    from transformers import Qwen2Config

    export([ROOT / "data" / "validation.jsonl"], tmp_path, loop="retail_tools")
    (tmp_path / "train.parquet").symlink_to(tmp_path / "validation.parquet")
    model = tmp_path / "model"
    Qwen2Config(hidden_size=32, num_hidden_layers=1, architectures=["Qwen2ForCausalLM"]).save_pretrained(
        model
    )
    tokenizer().save_pretrained(model)
    monkeypatch.chdir(tmp_path)
    checked = check(RECIPES / f"{name}.yaml", [f"retail.data={tmp_path}", f"retail.model={model}"])
    assert checked.with_verl and checked.problems == ()


def test_a_misspelt_key_and_what_verl_itself_refuses_are_reported(data, tmp_path):
    given = [f"retail.data={data}", f"retail.model={TINY}"]
    found = check(GPT, [*given, "+data.max_promt_length=4096"]).problems
    assert found == ("data.max_promt_length is no setting of verl and is ignored: correct or remove it",)
    found = check(GPT, [*given, "actor_rollout_ref.actor.ppo_micro_batch_size=4"]).problems
    assert len(found) == 1 and found[0].startswith("verl refuses it: ")
    (tmp_path / "alone.yaml").write_text("defaults: [ppo_trainer_of_old]\n")
    found = check(tmp_path / "alone.yaml").problems
    assert len(found) == 1 and found[0].startswith("verl cannot compose it: ")


def test_the_defaults_that_rules_assume_without_verl_are_verls(tmp_path):
    from hydra import compose, initialize_config_module
    from omegaconf import OmegaConf

    with initialize_config_module("verl.trainer.config", version_base=None):
        theirs = Settings(OmegaConf.to_container(compose("ppo_trainer"), resolve=False))
    differing = {name: theirs[name] for name in DEFAULTS if theirs[name] != DEFAULTS[name]}
    references = {name: value for name, value in differing.items() if str(value).startswith("${")}
    assert differing == references and set(references) <= {"critic.ppo_micro_batch_size_per_gpu"}


# data and tools


def test_verls_dataset_reads_every_row_and_filters_none(data):
    from verl.utils.dataset.rl_dataset import RLHFDataset

    config = composed(data)  # with the recipe's own limits
    rows = RLHFDataset(str(data / "validation.parquet"), tokenizer(), config.data)
    assert len(rows) == 100 and len(rows.tool_schemas) == 16
    assert [row["agent_name"] for row in (rows[0], rows[99])] == ["retail_agent"] * 2
    assert Task.from_json(json.loads(rows[7]["tools_kwargs"]["task"])) == tasks()[7]
    text = tokenizer().apply_chat_template(
        rows[7]["raw_prompt"],
        tools=rows.tool_schemas,
        add_generation_prompt=True,
        tokenize=False,
        **config.data.apply_chat_template_kwargs,
    )
    assert text == render([*system_messages("agent"), User(tasks()[7].query)], generation_prompt=True)


def test_too_short_prompts_are_what_the_check_says_they_are(data):
    from verl.utils.dataset.rl_dataset import RLHFDataset

    config = composed(data, "data.max_prompt_length=10")  # the tiny vocabulary knows the policy by heart
    assert len(RLHFDataset(str(data / "validation.parquet"), tokenizer(), config.data)) == 0


def test_the_tools_reach_the_prompt_as_the_project_wrote_them(shop_tools):
    from verl.tools.schemas import OpenAIFunctionToolSchema

    shown = [tool.tool_schema.model_dump(exclude_unset=True, exclude_none=True) for tool in shop_tools]
    assert shown == schemas()
    stock = OpenAIFunctionToolSchema.model_validate(TOOLS["return_delivered_order_items"].schema)
    parameters = stock.model_dump(exclude_unset=True)["function"]["parameters"]["properties"]
    assert "items" not in parameters["item_ids"], (
        "verl keeps array items now: WholeSchema is no longer needed"
    )


def test_an_unknown_tool_in_the_file_is_said():
    from scaleout.verl.tools import RetailTool

    with pytest.raises(ValueError, match="no tool 'refund'"):
        RetailTool({"type": "native", "name": "refund"})


# parser

TURNS = {
    "call": [Call("get_order_details", {"order_id": "#W1234567"})],
    "thought and call": [Analysis("I look."), Call("get_order_details", {"order_id": "#W1<|call|>"})],
    "words": [Final("It is on its way.")],
    "thought and words": [Analysis("Tell."), Final("It is on its way.")],
}
REFUSED = {
    "<|channel|>final<|message|>cut off": "truncated",
    ' to=functions.think<|channel|>commentary json<|message|>{"a": 1, "a": 2}<|call|>': "duplicate_key",
    '<|channel|>commentary to=functions.think <|constrain|>json<|message|>{"a": 1}<|end|>': "wrong_end",
    "no header at all": "bad_header",
}


def parsed_by(format: str, text: str):
    from verl.experimental.agent_loop.tool_parser import ToolParser

    import scaleout.verl.tools  # noqa: F401 (registers the format)

    parser = ToolParser.get_tool_parser(format, tokenizer())
    ids = tokenizer().encode(text, add_special_tokens=False)
    return parser, asyncio.run(parser.extract_tool_calls(ids))


@pytest.mark.parametrize("form", BOTH_FORMS)
@pytest.mark.parametrize("turn", TURNS)
def test_our_parser_reads_both_call_forms_as_the_project_does(turn, form):
    (text,) = written_turns(TURNS[turn], form)
    _, (words, calls) = parsed_by("gpt-oss-harmony", text)
    read = parse(tokenizer().encode(text, add_special_tokens=False), TOOLS, Vocabulary.of(tokenizer()))
    found = [Call(call.name, json.loads(call.arguments)) for call in calls]
    assert (found, words) == ([read.call] if read.call else [], read.final or "")
    assert read.ok


@pytest.mark.parametrize(("text", "verdict"), REFUSED.items())
def test_what_the_strict_reader_refuses_calls_nothing(text, verdict):
    _, (words, calls) = parsed_by("gpt-oss-harmony", text)
    assert calls == [] and words.startswith(f"[unread: {verdict}]")


def test_generation_stops_where_a_turn_ends():
    parser, _ = parsed_by("gpt-oss-harmony", "x")
    assert tokenizer().convert_ids_to_tokens(sorted(parser.stop_token_ids)) == ["<|return|>", "<|call|>"]


def test_verls_own_parsers_do_not_read_the_form_that_the_warm_up_teaches():
    (text,) = written_turns(TURNS["call"], "role")
    assert parsed_by("gpt-oss", text)[1][1] == parsed_by("hermes", text)[1][1] == []


def test_a_tokenizer_without_harmonys_tokens_is_refused_with_the_way_out():
    from scaleout.verl.tool_parser import stops

    with pytest.raises(ValueError, match="use the loop retail_tools and the parser of their family"):
        stops(Vocabulary({1: "<|start|>"}, str))


def test_packed_samples_of_gpt_oss_still_see_each_other_so_padding_must_stay():
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        TINY, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    first, second = torch.arange(20, 40), torch.arange(60, 80)
    packed = torch.cat([first, second])[None]
    places = torch.cat([torch.arange(20), torch.arange(20)])[None]
    with torch.no_grad():
        alone = model(input_ids=second[None]).logits[0]
        together = model(input_ids=packed, position_ids=places, use_cache=False).logits[0, 20:]
    assert (alone - together).abs().max() > 0.01, "fixed upstream: use_remove_padding may be allowed again"
