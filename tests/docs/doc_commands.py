"""How each command of README and docs/ is tested: run for real, or why not and what runs it instead.

A command that stands under `<!-- needs: … -->` is not run; its options are still compared with `--help`.
Patterns are searched for in a command without its comment; the first table that knows one decides.
"""

import re
import shlex
from dataclasses import dataclass

from doc_pages import Fence

# Run for real in a copy of the project, in the order of the page, with the exit code they must have.
RUN: dict[str, int] = {
    r"^cat > \S+ <<'EOF'": 0,
    r"^printf .*envs\.retail play": 0,
    r"envs\.retail import --format custom --in mine\.jsonl": 1,  # one row is rejected
    r"envs\.retail validate tasks\.jsonl --fix": 1,
    r"envs\.retail (play|generate|validate|make_shop|import --help|replay --help|score --help)": 0,
    r"envs\.retail\.make_shop --seed": 0,
    r"pipeline\.rewards attack .*--rounds 50$": 0,
    r"pipeline\.evaluate (rescore|compare) ": 0,
    r"pipeline\.report_page ": 0,
    r"pipeline\.chain --run mine -p LEVEL 3 notebooks/00_meet_the_shop": 0,
    r"scaleout\.capacity --weight-bits": 0,
    r" --help$": 0,
    r"^\.venv/bin/python -c ": 0,
    r"^make (help|lint|docs|report RUN=\w+)$": 0,
    r"benchmarks\.retail --quick$": 0,
}
# Exit codes that depend on the page, since a file of that name is another one there.
ON_A_PAGE: dict[tuple[str, str], int] = {
    ("docs/custom_tasks.md", ".venv/bin/python -m envs.retail validate tasks.jsonl"): 1
}
# Too long for this test, or nothing to run here: why, and what runs it instead.
ELSEWHERE: dict[str, str] = {
    r"^make demo$": "nine minutes: see tests/test_notebooks_run.py and tests/test_chain.py",
    r"^make test(-fast)?( ARGS=.*)?$": "the tests themselves: what CI runs",
    r"^make setup$": "installs a gigabyte: CI's first step",
    r"pipeline\.sft --run mine": "trains: tests/model/test_sft.py runs the command on a few tasks",
    r"pipeline\.grpo --run mine": "trains: tests/model/test_grpo.py and test_grpo_processes.py",
    r"pipeline\.evaluate run --run mine": "needs a trained adapter: tests/pipeline/test_evaluate.py",
    r"pipeline\.export --run mine": "needs a trained adapter: tests/model/test_export.py",
    r"pipeline\.rewards attack$": "half a minute: tests/attacks/test_attacks.py runs it on two tasks",
    r"pipeline\.chain --run mine -p OWN_FILE": "a minute: tests/test_notebooks_run.py does the same",
    r"import --format tau-bench --in": "a download: tests/retail/test_importers_tau_bench.py has a checkout",
    r"import --format apigen --in": "a download: tests/retail/test_importers_apigen.py has samples",
    r"benchmarks\.retail --against": "a download: tests/test_benchmarks.py has a stand-in",
    r"-m pytest tests/": "a part of the tests themselves",
    r"^\.venv/bin/tensorboard ": "a server that runs until it is stopped",
}
# The same for single pages, whose commands may look like others'.
ELSEWHERE_ON: dict[str, dict[str, str]] = {
    "docs/cloud.md": {
        r"^mkdir -p outputs/": "makes a folder",
        r"^\.venv/bin/papermill notebooks/": "tests/test_batch_commands.py knows its parameters",
    },
    "docs/installation.md": {
        r"^make check$": "tests/installation/test_check.py",
        r"^make setup LOCKED=1$": "installs a gigabyte: tests/installation/test_make_setup.py has stand-ins",
        r"^make lock(-check)?( |$)": "asks a package index: tests/installation/test_locks.py",
    },
    "scaleout/verl/README.md": {
        r"-m venv \.venv-verl": "installs gigabytes: `make scaleout-test`",
        r"scaleout\.verl export": "tests/scaleout/verl/test_verl_export.py",
        r"scaleout\.verl check": "tests/scaleout/verl/test_verl_check.py",
        r"scaleout\.verl results": "tests/scaleout/verl/test_verl_results.py",
        r"verl\.trainer\.main_ppo|verl\.model_merger": "needs GPUs: never run, as the page says",
    },
    "scaleout/skyrl/README.md": {
        r"-m venv \.venv-skyrl|^source ": "installs gigabytes: `make scaleout-test`",
        r"scaleout\.skyrl export": "tests/scaleout/skyrl/test_skyrl_arguments.py",
        r"scaleout\.skyrl\.check_model": "tests/scaleout/skyrl/test_skyrl_model.py",
        r"scaleout\.skyrl check": "tests/scaleout/skyrl/test_skyrl_arguments.py",
        r"^bash scaleout/skyrl/": "needs GPUs: never run, as the page says",
        r"scaleout\.skyrl results": "tests/scaleout/skyrl/test_skyrl_results.py",
        r"pipeline\.evaluate compare outputs/skyrl": "needs episodes: tests/pipeline/test_evaluate.py",
    },
    "docs/speed.md": {r"^make bench( ARGS=.*)?$": "minutes: tests/test_speed.py"},
    "docs/reliability.md": {
        r"^make reliability( ARGS=.*)?$": "minutes to hours: tests/reliability/ runs it small"
    },
}


@dataclass(frozen=True)
class Command:
    """One command of a fenced block, heredoc and continued lines included."""

    page: str
    text: str
    needs: str

    @property
    def plain(self) -> str:
        """Without the comment behind it, continued lines joined."""
        first = self.text.split("\n", 1)[0] if "<<'" in self.text else self.text.replace("\\\n", " ")
        return first if '"\n' in first or "-c " in first else re.sub(r"\s+# .*$", "", first).strip()

    @property
    def exit_code(self) -> int | None:
        """The code it must end with; None where it is not run."""
        if self.needs:
            return None
        if (self.page, self.plain) in ON_A_PAGE:
            return ON_A_PAGE[self.page, self.plain]
        if self.elsewhere:
            return None
        return next((code for pattern, code in RUN.items() if re.search(pattern, self.plain)), None)

    @property
    def elsewhere(self) -> str:
        """Why it is not run here, and what does."""
        known = ELSEWHERE_ON.get(self.page, {}) | ELSEWHERE
        return next((why for pattern, why in known.items() if re.search(pattern, self.plain)), "")

    @property
    def known(self) -> bool:
        return bool(self.needs or self.elsewhere or self.exit_code is not None)

    @property
    def words(self) -> list[str]:
        return shlex.split(self.plain)


def commands(fence: Fence) -> list[Command]:
    """A block's commands in order; comments and empty lines are none."""
    found, lines = [], fence.text.rstrip("\n").split("\n")
    while lines:
        taken = [lines.pop(0)]
        if not taken[0].strip() or taken[0].lstrip().startswith("#"):
            continue
        if heredoc := re.search(r"<<'(\w+)'", taken[0]):
            while lines and taken[-1] != heredoc[1]:
                taken.append(lines.pop(0))
        while lines and (taken[-1].endswith("\\") or _open_quote("\n".join(taken))):
            taken.append(lines.pop(0))
        found.append(Command(fence.page, "\n".join(taken), fence.needs))
    return found


def _open_quote(text: str) -> bool:
    """Whether a quoted text goes on in the next line."""
    if "<<'" in text:
        return False
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return True
    return False
