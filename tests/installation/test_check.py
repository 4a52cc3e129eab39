"""Verdicts on made-up machines: which profiles run, and what is said about the others."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import PROFILES, detect_profile, resolve
from pipeline.installation.check import SETS, chosen_set, deviations, fact_rows, page
from pipeline.installation.hub import Hub, Weights
from pipeline.installation.machine import Facts, Gpu, Torch
from pipeline.installation.pins import ROOT, read_pins
from pipeline.installation.verdicts import verdict, verdicts

CONFIGS = {name: resolve(name, environ={}) for name in PROFILES}
BNB = "unsloth/gpt-oss-20b-unsloth-bnb-4bit"


def installed(kind: str) -> dict[str, str]:
    pins = [*read_pins(ROOT / "requirements-dev.txt"), *read_pins(ROOT / SETS[kind])]
    return {pin.name: pin.version for pin in pins}


LAPTOP = Facts(
    python=(3, 12, 1),
    system="Linux",
    processor="x86_64",
    cores=8,
    memory=16.0,
    memory_free=9.0,
    disk_free=100.0,
    cache="/home/me/.cache/huggingface/hub",
    cache_free=100.0,
    hub=Hub("reachable", "the hub is reachable"),
    no_gpu="nvidia-smi is not installed",
    torch=Torch("2.13.0"),
    installed=installed("cpu"),
    weights={name: Weights("data/tiny_base" if name == "tiny" else BNB, name == "tiny") for name in PROFILES},
)
SEES = Torch("2.14.1", "13.0", sees_gpu=True)
T4 = Gpu("Tesla T4", 15.0, 14.6, "580.65", (7, 5))
RTX = Gpu("NVIDIA GeForce RTX 4090", 24.0, 23.5, "581.1", (8, 9))
H100 = Gpu("NVIDIA H100 80GB HBM3", 79.6, 79.1, "580.65", (9, 0))
GB10 = Gpu("NVIDIA GB10", None, None, "580.95", (12, 1))


def with_gpu(gpu: Gpu, **changes) -> Facts:
    given = {"gpus": (gpu,), "no_gpu": "", "torch": SEES, "installed": installed("gpu")}
    return replace(LAPTOP, **(given | changes))


SPARK = with_gpu(GB10, processor="aarch64", memory=119.7, memory_free=112.0)


def running(facts: Facts) -> set[str]:
    return {one.profile for one in verdicts(facts, CONFIGS) if one.runs}


def said(facts: Facts, profile: str) -> str:
    return str(verdict(facts, CONFIGS[profile]))


@pytest.mark.parametrize(
    ("facts", "profiles"),
    [
        (LAPTOP, {"tiny"}),
        (with_gpu(T4), {"tiny", "t4"}),
        (with_gpu(RTX), {"tiny", "t4", "gpu24", "spark"}),
        (with_gpu(H100), set(PROFILES)),
        (SPARK, set(PROFILES)),
    ],
    ids=["no GPU", "T4", "24 GB", "80 GB", "GB10"],
)
def test_which_profiles_run(facts, profiles):
    assert running(facts) == profiles
    for one in verdicts(facts, CONFIGS):
        assert (str(one) == "runs here") == (one.profile in profiles)


@pytest.mark.parametrize(
    ("facts", "profile", "words"),
    [
        (LAPTOP, "gpu24", "no: needs an NVIDIA GPU (nvidia-smi is not installed)"),
        (replace(LAPTOP, memory=1.5), "tiny", "GiB of main memory (there are 1.5)"),
        (replace(LAPTOP, python=(3, 14, 0)), "tiny", "not yet: Python 3.11, 3.12 or 3.13 (this is 3.14.0)"),
        (with_gpu(T4), "gpu24", "with bfloat16, capability 8.0 or newer (Tesla T4 has 7.5)"),
        (with_gpu(RTX), "gpu80", "no: needs 70 GiB of GPU memory (NVIDIA GeForce RTX 4090 has 24.0)"),
        (with_gpu(replace(T4, name="V100", capability=(7, 0))), "t4", "for CUDA 13 (V100 has 7.0)"),
        (with_gpu(replace(T4, total=8.0, free=7.5)), "t4", "about 14 GiB of GPU memory; 7.5 of 8.0 GiB"),
        (with_gpu(replace(H100, free=3.0)), "gpu80", "a GPU that nothing else uses"),
        (with_gpu(H100, torch=Torch("2.13.0")), "gpu80", "torch 2.13.0 is a CPU build"),
        (
            with_gpu(replace(H100, driver="550.54.15"), torch=replace(SEES, sees_gpu=False)),
            "gpu80",
            "an NVIDIA driver of release 580 or later for CUDA 13.0 (this is 550.54.15)",
        ),
        (
            with_gpu(H100, torch=Torch("2.14.1", "13.0", problem="`import torch` fails: OSError: libcudnn")),
            "gpu80",
            "not yet: `import torch` fails: OSError: libcudnn",
        ),
        (with_gpu(H100, cache_free=4.0), "gpu80", f"13 GiB of disk for the weights in {LAPTOP.cache} (4.0"),
        (
            with_gpu(H100, hub=Hub("off", "off: HF_HUB_OFFLINE=1")),
            "gpu80",
            f"not yet: the weights of {BNB}: not in {LAPTOP.cache}; hub: off: HF_HUB_OFFLINE=1",
        ),
        (
            replace(LAPTOP, weights={"tiny": Weights("data/tiny_base", False, "run `make tiny-base`")}),
            "tiny",
            "not yet: run `make tiny-base`",
        ),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(facts, profile, words):
    assert words in said(facts, profile)


def test_weights_that_are_here_need_neither_hub_nor_room():
    alone, full = with_gpu(H100, hub=Hub("unreachable", "no answer")), with_gpu(H100, cache_free=0.1)
    here = {name: Weights(BNB, True) for name in PROFILES}
    for facts in (alone, full):
        assert running(facts) == {"tiny"} and running(replace(facts, weights=here)) == set(PROFILES)


def test_a_fresh_clone_is_told_to_set_up_and_whether_there_is_room():
    bare = replace(LAPTOP, installed={}, torch=None, disk_free=3.0)
    told = said(bare, "tiny")
    assert told.startswith("not yet: not installed: torch, transformers, trl")
    assert "(`make setup`)" in told and "7 GiB of disk to install (3.0 are free" in told
    assert ("torch", "not installed") in fact_rows(bare, "cpu")
    pins = len(installed("cpu"))
    assert f"{pins} of {pins} packages are not installed" in page(bare, CONFIGS, "cpu")


def test_only_deviations_from_the_pins_are_listed():
    assert deviations(LAPTOP, "cpu") == ([], len(installed("cpu")))
    others = {**LAPTOP.installed, "trl": "1.14.2"}
    del others["peft"]
    facts = replace(LAPTOP, installed=others)
    found, _ = deviations(facts, "cpu")
    assert [one.split(" (pinned ")[0] for one in found] == ["peft is not installed", "trl 1.14.2"]
    told = dict(fact_rows(facts, "cpu"))["versions"]
    assert "trl 1.14.2" in told and "peft is not installed" in told and "pandas" not in told
    assert verdict(replace(facts, installed=LAPTOP.installed | {"trl": "1.14.2"}), CONFIGS["tiny"]).runs


def test_xformers_is_looked_for_only_where_the_set_asks_for_it():
    assert "xformers" in dict(fact_rows(with_gpu(H100), "gpu"))["kernels"]
    assert "xformers" not in dict(fact_rows(SPARK, "gpu"))["kernels"]
    without = {name: version for name, version in SPARK.installed.items() if name != "xformers"}
    assert deviations(replace(SPARK, installed=without), "gpu")[0] == []


def test_the_page_shows_machine_verdicts_and_the_automatic_choice():
    text = page(with_gpu(T4, torch=replace(SEES, auto="t4")), CONFIGS, "gpu")
    assert "Tesla T4, 15.0 GiB, 14.6 free, compute capability 7.5, driver 580.65" in text
    assert "2.14.1 for CUDA 13.0, sees the GPU" in text and "PROFILE=auto   is t4 here" in text
    assert len(fact_rows(SPARK, "gpu")) <= 10
    assert "memory shared with the machine" in page(SPARK, CONFIGS, "gpu")
    assert (chosen_set(LAPTOP), chosen_set(SPARK)) == ("cpu", "gpu")


@given(st.floats(1, 200), st.floats(1, 200), st.sampled_from([(7, 5), (8, 0), (9, 0)]))
def test_more_memory_never_takes_a_profile_away(one, other, capability):
    less, more = sorted((one, other))
    small, large = (running(with_gpu(Gpu("GPU", size, size, "580.1", capability))) for size in (less, more))
    assert "tiny" in small and small <= large


@pytest.mark.parametrize(
    ("name", "total"), [("T4", 14.6), ("A10", 22.0), ("H100", 79.2), ("NVIDIA GB10", 119.6)]
)
def test_what_auto_takes_runs(monkeypatch, name, total):
    """The same thresholds here and in `detect_profile`, which asks torch."""
    told = SimpleNamespace(name=name, total_memory=int(total * 2**30), major=9)
    cuda = SimpleNamespace(is_available=lambda: True, get_device_properties=lambda _: told)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert detect_profile() in running(with_gpu(Gpu(name, total, total, "580.1", (9, 0)))) - {"tiny"}
