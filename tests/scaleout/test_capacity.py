"""Capacity on paper: memory and time worked by hand, what may only grow or shrink, what is shown."""

import json
import math
from dataclasses import replace

import pytest
from capacity_samples import BOX, EXPERTS, RUN, SMALL
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scaleout.capacity import MACHINES, MODELS, Model, Run, main, make_plan, plan_table, read_model
from scaleout.capacity_inputs import ASSUMED

GIB = 2**30


def gib(name: str, model: Model = SMALL, run: Run = RUN) -> float:
    """A line of the plan in bytes."""
    return make_plan(model, BOX, run).value(name) * GIB


# Worked by hand


def test_memory_worked_by_hand():
    assert gib("weights") == pytest.approx(3_976 * 2 / 2)
    assert gib("trained weights in float32") == pytest.approx(448 * 4 / 2)
    assert gib("optimizer states") == pytest.approx(448 * 8 / 2)
    assert gib("gradients") == pytest.approx(448 * 4 / 2)
    assert gib("weights of layers at work") == pytest.approx(3_976 * 2 * 2 / 4)
    assert gib("kept inputs of layers") == pytest.approx(100 * 4 * 8 * 2)
    assert gib("activations inside a layer") == pytest.approx(100 * (32 + 24 + 48) * 2)
    assert gib("attention scores") == pytest.approx(100 * 100 * 2 * 4)
    assert gib("logits") == pytest.approx(100 * 100 * 8)
    assert gib("weights of the engine") == pytest.approx(3_976 * 2)
    assert gib("KV cache") == pytest.approx(3 * 4 * 100 * 1 * 4 * 4)
    assert gib("KV cache", run=replace(RUN, episodes=5)) == gib("KV cache")  # one engine writes three
    assert gib("KV cache", replace(EXPERTS, window=1000)) == gib("KV cache")  # no episode is so long
    assert gib("KV cache", EXPERTS) == pytest.approx(3 * (2 * 100 + 2 * 10) * 4 * 4)
    assert gib("memory needed") == pytest.approx(max(gib("while updating"), gib("while writing")) + GIB)
    at_rest = gib("weights") + gib("trained weights in float32") + gib("optimizer states")
    assert gib("while writing") == pytest.approx(at_rest + gib("weights of the engine") + gib("KV cache"))


def test_settings_change_what_they_are_about():
    full = replace(RUN, tuning="full")
    assert gib("optimizer states", run=full) == pytest.approx(3_976 * 8 / 2)
    assert gib("weights", run=replace(RUN, weight_bits=4)) == pytest.approx(3_976 / 4)
    alone = replace(RUN, sharded=False)
    assert gib("weights", run=alone) == pytest.approx(3_976 * 2)
    assert gib("weights of layers at work", run=alone) == 0
    assert gib("attention scores", run=replace(RUN, attention="flash")) == 0
    assert gib("attention scores", run=replace(RUN, checkpointing=False)) == 4 * gib("attention scores")
    assert gib("kept inputs of layers", run=replace(RUN, checkpointing=False)) == 0
    assert gib("weights of the engine", run=replace(RUN, engine=False)) == 0
    pair = replace(RUN, tensor_parallel=2)
    assert gib("weights of the engine", run=pair) == pytest.approx(3_976)
    assert gib("KV cache", run=pair) == pytest.approx(gib("KV cache"))  # one engine, twice the episodes
    away = replace(RUN, offload=True)
    assert gib("while writing", run=away) == gib("weights of the engine") + gib("KV cache")
    assert gib("while updating", run=away) == gib("while updating")


def test_time_worked_by_hand():
    plan = make_plan(SMALL, BOX, replace(RUN, generated_share=0.5, rollout_rate=10, utilisation=0.25))
    assert plan.value("tokens of a step") == 600
    assert plan.value("writing") == pytest.approx(300 / (2 * 10))
    work = 2 * SMALL.active_parameters + 4 * 2 * 4 * (4 * 100 / 2)
    assert plan.value("work of a token") == pytest.approx(work)
    for window, seen in ((10, 2 * 50 + 2 * 10), (1000, 4 * 50)):
        model = replace(EXPERTS, window=window)
        work_of_token = make_plan(model, BOX, RUN).value("work of a token")
        assert work_of_token == pytest.approx(2 * model.active_parameters + 4 * 2 * 4 * seen)
    updating = 600 * work * 4 / (2 * 1e12 * 0.25)  # log-probabilities, forward, again, backward
    assert plan.value("updating") == pytest.approx(updating)
    assert plan.value("a step") == pytest.approx(15 + updating + 5)
    assert plan.value("the run") == pytest.approx(9 * (15 + updating + 5) / 3600)
    assert plan.value("GPU hours") == pytest.approx(2 * plan.value("the run"))
    assert plan.value("machines") == 1
    full = make_plan(SMALL, BOX, replace(plan.run, tuning="full", checkpointing=False))
    assert full.value("updating") == pytest.approx(updating)  # a pass less, a backward of twice the work


# What may only grow or shrink

runs = st.builds(
    Run,
    gpus=st.integers(1, 64),
    episodes=st.integers(64, 1024),
    tokens=st.integers(1, 20_000),
    tuning=st.sampled_from(["lora", "full"]),
    sharded=st.booleans(),
    micro_batch=st.integers(1, 4),
    attention=st.sampled_from(["eager", "flash"]),
    checkpointing=st.booleans(),
    engine=st.booleans(),
    offload=st.booleans(),
)
models = st.sampled_from([*MODELS.values(), SMALL, EXPERTS])
TINY = 1e-9  # rounding


@given(models, runs, st.integers(1, 64), st.sampled_from([1, 2]))
def test_more_gpus_never_need_more_memory_each(model, run, more, group):
    few = replace(run, gpus=run.gpus * group, episodes=run.episodes * 2, tensor_parallel=group)
    many = replace(few, gpus=min(few.gpus + more * group, few.episodes // group * group))
    assume(many.gpus >= few.gpus)
    before, after = make_plan(model, BOX, few), make_plan(model, BOX, many)
    assert after.value("memory needed") <= before.value("memory needed") * (1 + TINY)
    assert after.value("the run") <= before.value("the run") * (1 + TINY)


@given(models, runs, st.integers(1, 20_000), st.sampled_from(["tokens", "episodes", "micro_batch", "steps"]))
def test_more_of_anything_never_needs_less(model, run, more, name):
    longer = replace(run, **{name: getattr(run, name) + more})
    before, after = make_plan(model, BOX, run), make_plan(model, BOX, longer)
    for old, new in zip(before.memory + before.time, after.memory + after.time, strict=True):
        assert new.value >= old.value * (1 - TINY), old.name


@settings(max_examples=25)
@given(models, runs, st.floats(8, 200))
def test_the_fewest_gpus_are_the_fewest(model, run, memory):
    machine = replace(BOX, memory_gib=memory)
    run = replace(run, episodes=64)
    needed = make_plan(model, machine, run).gpus_needed
    sizes = [count for count in (1, 2, 3, 6, 13, 30, 64) if needed is None or count < needed]
    assert not any(make_plan(model, machine, replace(run, gpus=count)).fits for count in sizes)
    assert needed is None or make_plan(model, machine, replace(run, gpus=needed)).fits


# What is shown


def test_every_line_shows_where_it_comes_from():
    plan = make_plan(MODELS["gpt-oss-20b"], MACHINES["h100-80gb"], Run(gpus=8, episodes=256, tokens=6000))
    table = plan_table(plan)
    assert list(table.columns) == ["name", "value", "unit", "kind", "formula"]
    assert table["name"].is_unique
    assert set(table.loc[table["kind"] == "assumed", "name"]) == set(ASSUMED)
    assert (table.loc[table["kind"] == "computed", "formula"] != "").all()
    assert set(table.loc[table["name"].str.match("model |machine "), "kind"]) == {"published"}
    own = plan_table(make_plan(SMALL, BOX, RUN))
    assert set(own.loc[own["name"].str.match("model |machine "), "kind"]) == {"given"}


def test_a_formula_computes_what_it_says():
    plan = make_plan(MODELS["gpt-oss-120b"], MACHINES["h200"], Run(gpus=8, episodes=256, tokens=6000))
    for line in plan.memory[:-3]:  # products of bytes; what follows are sums
        factors, *over = line.formula.replace(",", "").split(" / ")
        value = math.prod(float(factor.split()[0]) for factor in factors.split(" * "))
        value /= math.prod(float(divisor.split()[0]) for divisor in over)
        assert value / GIB == pytest.approx(line.value, rel=1e-3), line.name


def test_the_command_shows_inputs_formulas_and_result(capsys):
    assert main(["--gpus", "8", "--episodes", "256", "--tokens", "6000"]) == 0
    text = capsys.readouterr().out
    plan = make_plan(MODELS["gpt-oss-20b"], MACHINES["h100-80gb"], Run(gpus=8, episodes=256, tokens=6000))
    assert all(f"  {line.name} " in text for line in plan.lines)
    assert text.count(" assumed\n") == len(ASSUMED)
    assert "20,914,757,184 parameters * 2 bytes / 8 GPUs" in text
    assert f"{plan.value('memory needed'):.1f} of 79 GiB on each of 8 GPUs" in text
    assert f"{plan.gpus_needed} are the fewest that do" in text
    assert "not a measurement" in text


def test_the_command_takes_any_model_and_machine(capsys, tmp_path):
    config = {"num_hidden_layers": 4, "hidden_size": 8, "num_attention_heads": 2, "vocab_size": 100}
    config |= {"num_key_value_heads": 1, "intermediate_size": 16, "head_dim": 4, "sliding_window": 10}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert replace(read_model(tmp_path / "config.json"), name="small") == SMALL  # no layer uses the window
    asked = (
        f"--model {tmp_path / 'config.json'} --gpus 2 --episodes 6 --tokens 100 --memory-gib 1 --no-engine"
    )
    assert main(asked.split()) == 0
    text = capsys.readouterr().out
    assert "does not fit" in text and "of 1 GiB" in text and "no number does" in text  # spare_gib is larger


def test_heads_must_be_divisible_over_an_engine():
    with pytest.raises(ValueError, match="2 heads of small cannot be divided over 4 GPUs"):
        make_plan(SMALL, BOX, replace(RUN, gpus=4, tensor_parallel=4))


@pytest.mark.parametrize("wrong", ["--gpus 0", "--model gpt-5", "--model no/config.json", "--machine abacus"])
def test_the_command_refuses_with_a_sentence(wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        main(f"--gpus 8 --episodes 256 --tokens 6000 {wrong}".split())
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err
