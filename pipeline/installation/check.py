"""Shows what this machine is, what is installed on it, and which profiles will run here.

    make check                  # or, with any Python 3.11 to 3.13: python -m pipeline.installation.check

It reports and changes nothing. The exit code is 0 where at least one profile runs, else 2.
"""

from __future__ import annotations

import argparse
import sys

from pipeline.config import PROFILES, Config, resolve
from pipeline.installation.machine import Facts, Gpu, look
from pipeline.installation.pins import ROOT, pins_for
from pipeline.installation.verdicts import dotted, verdicts

SETS = {"cpu": "requirements-cpu.txt", "gpu": "requirements.txt"}


def chosen_set(facts: Facts) -> str:
    """The set that `make setup` chooses here."""
    return "gpu" if facts.gpus else "cpu"


def deviations(facts: Facts, chosen: str) -> tuple[list[str], int]:
    """What is installed otherwise than pinned, in words, and how many pins there are for this processor."""
    files = (ROOT / "requirements-dev.txt", ROOT / SETS[chosen])
    pins = {name: version for file in files for name, version in pins_for(file, facts.processor).items()}
    found = [
        f"{name} {facts.installed.get(name, 'is not installed')} (pinned {version})"
        for name, version in sorted(pins.items())
        if facts.installed.get(name) != version
    ]
    return found, len(pins)


def fact_rows(facts: Facts, chosen: str) -> list[tuple[str, str]]:
    """The machine in words: at most ten rows of a name and what was found."""
    return [
        ("Python", ".".join(map(str, facts.python))),
        ("platform", f"{facts.system} {facts.processor}, {facts.cores} cores"),
        ("memory", f"{facts.memory:.1f} GiB, {facts.memory_free:.1f} free"),
        ("GPU", "; ".join(map(_gpu_words, facts.gpus)) or f"none: {facts.no_gpu}"),
        ("torch", _torch_words(facts)),
        ("Unsloth", _versions(facts, "unsloth", "unsloth-zoo")),
        ("kernels", _versions(facts, "bitsandbytes", *_xformers(facts, chosen))),
        ("free disk", f"{facts.disk_free:.1f} GiB; {facts.cache_free:.1f} GiB in {facts.cache}"),
        ("model hub", facts.hub.detail),
        ("versions", _versions_words(*deviations(facts, chosen), SETS[chosen])),
    ]


def _xformers(facts: Facts, chosen: str) -> list[str]:
    """xformers where the set asks for it: there are no wheels for aarch64, and a CPU has no use for it."""
    return [name for name in pins_for(ROOT / SETS[chosen], facts.processor) if name == "xformers"]


def _versions(facts: Facts, *names: str) -> str:
    here = [f"{name} {facts.installed[name]}" for name in names if name in facts.installed]
    return ", ".join(here) or "not installed"


def _gpu_words(gpu: Gpu) -> str:
    size = "memory shared with the machine" if gpu.total is None else f"{gpu.total:.1f} GiB"
    free = "" if gpu.free is None else f", {gpu.free:.1f} free"
    age = f", compute capability {dotted(gpu)}" if gpu.capability else ""
    return f"{gpu.name}, {size}{free}{age}, driver {gpu.driver}"


def _torch_words(facts: Facts) -> str:
    if facts.torch is None:
        return "not installed"
    build = f"for CUDA {facts.torch.cuda}" if facts.torch.cuda else "for the CPU"
    sight = ", sees the GPU" if facts.torch.sees_gpu else ", does not see the GPU" if facts.gpus else ""
    return f"{facts.torch.version} {build}{sight}"


def _versions_words(found: list[str], pins: int, file: str) -> str:
    pinned = f"requirements-dev.txt and {file}"
    if not found:
        return f"all {pins} as pinned in {pinned}"
    absent = [text for text in found if "is not installed" in text]
    others = [text for text in found if text not in absent]
    told = others + (absent if len(absent) <= 8 else [f"{len(absent)} of {pins} packages are not installed"])
    return f"not as pinned in {pinned}: {', '.join(told)}"


def all_configs() -> dict[str, Config]:
    """Each profile as it would run now, settings from the environment included."""
    return {name: resolve(name) for name in PROFILES}


def page(facts: Facts, configs: dict[str, Config], chosen: str) -> str:
    """Everything as text for a terminal."""
    found = verdicts(facts, configs)
    rows = [*fact_rows(facts, chosen), ("", ""), *((f"profile {one.profile}", str(one)) for one in found)]
    rows += [("", ""), ("PROFILE=auto", f"is {facts.torch.auto if facts.torch else 'tiny'} here")]
    return "\n".join(f"{name:<15}{text}".rstrip() for name, text in rows)


def main(argv: list[str] | None = None) -> int:
    """`python -m pipeline.installation.check`: print the table; 0 where a profile runs, else 2."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.installation.check", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--set", choices=SETS, help="compare versions with this set, not with the machine's own"
    )
    options = parser.parse_args(argv)
    try:
        configs = all_configs()
    except ValueError as error:
        parser.error(str(error))
    facts = look(configs)
    print(page(facts, configs, options.set or chosen_set(facts)))
    return 0 if any(one.runs for one in verdicts(facts, configs)) else 2


if __name__ == "__main__":
    sys.exit(main())
