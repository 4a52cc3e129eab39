"""The command line of the trials.

    python -m reliability --list
    python -m reliability --quick --only parser
    python -m reliability --only parser --case 123456      # one case again, with what it found
    python -m reliability --stop-after 400                 # for a while; the same command goes on later
    python -m reliability --page                           # docs/reliability.md from the results there are

Each trial runs in a process of its own, so that the memory told is its own, and writes
`outputs/reliability/<name>.json`. What is finished is not run again (`--again` does). In the full setting a
finished trial's result is copied to `outputs/reference/reliability/`, and the page is written from there.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

from envs.retail.files import FileError, read_json
from pipeline.runs import ROOT
from reliability.page import PAGE, REFERENCE, write_page
from reliability.runner import carry_out, finished
from reliability.trial import SEED, Setting, Trial
from reliability.trials import TRIALS


def main(argv: Sequence[str] | None = None) -> int:
    """The command line: 0 if nothing failed, 1 if something did, 2 where it was asked for something odd."""
    options = _options(argv)
    chosen = [trial for trial in TRIALS if not options.only or trial.name in options.only]
    setting = Setting(options.quick, options.seed, options.out or _folder(options.quick), options.recorded)
    if options.list:
        print(*(f"{trial.name:12} {trial.cases(setting):>9,}  {trial.title}" for trial in TRIALS), sep="\n")
        return 0
    if options.page:
        return _write_page()
    if options.case is not None:
        return _one_case(chosen[0], setting, options.case)
    if len(chosen) == 1:
        return _one_trial(chosen[0], setting, options)
    return _every_trial(chosen, setting, options)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m reliability", description="Try to break it.")
    names = [trial.name for trial in TRIALS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="few cases; writes no page")
    parser.add_argument("--again", action="store_true", help="run what is finished again")
    parser.add_argument("--case", type=int, help="one case of the one trial named with --only")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--stop-after", type=float, default=inf, metavar="SECONDS")
    parser.add_argument("--recorded", type=Path, help="folder with tau-bench's recorded answers")
    parser.add_argument("--out", type=Path, help="folder for states and results")
    parser.add_argument("--list", action="store_true", help="name the trials and stop")
    parser.add_argument("--page", action="store_true", help="only write the page from the results there are")
    options = parser.parse_args(argv)
    if options.case is not None and len(options.only or ()) != 1:
        parser.error("--case needs one trial: --only NAME")
    return options


def _folder(quick: bool) -> Path:
    return ROOT / "outputs" / ("reliability-quick" if quick else "reliability")


def _one_case(trial: Trial, setting: Setting, case: int) -> int:
    if reason := trial.unfit(setting):
        print(f"{trial.name}: not run: {reason}", file=sys.stderr)
        return 2
    if not 0 <= case < trial.cases(setting):
        print(f"{trial.name} has the cases 0 to {trial.cases(setting) - 1}", file=sys.stderr)
        return 2
    found = trial.run(range(case, case + 1), setting)
    for failure in found.failures:
        print(f"case {failure.case}: {failure.what}\n{failure.input}")
    print(
        f"{trial.name} {case}: {'failed' if found.failed else 'holds'} {dict(found.counts)} {found.largest}"
    )
    return int(found.failed > 0)


def _one_trial(trial: Trial, setting: Setting, options: argparse.Namespace) -> int:
    result = carry_out(trial, setting, again=options.again, stop_after=options.stop_after)
    if "not_run" in result:
        print(f"{trial.name}: not run: {result['not_run']}")
    else:
        print(
            f"{trial.name}: {result['done']:,} of {result['cases']:,} cases, {result['failed']} failures, "
            f"{result['seconds']:.1f} s, {result['peak_mb']} MB"
        )
        again = f"python -m reliability --only {trial.name} --seed {setting.seed}"
        for failure in result["failures"]:
            quick = " --quick" if setting.quick else ""
            print(f"  {failure['what']}\n    again: {again}{quick} --case {failure['case']}")
    file = setting.folder / f"{trial.name}.json"
    if not setting.quick and file.exists():  # there is none where it was stopped before the first piece
        _keep(file)
    return int(bool(result.get("failed")))


def _keep(file: Path) -> None:
    """The result becomes the one that is shown, unless that one is further."""
    kept = REFERENCE / file.name
    if not kept.exists() or _far(read_json(file)) >= _far(read_json(kept)):
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, kept)
    _write_page()


def _far(result: Mapping[str, Any]) -> int:
    """Not run, begun, or finished."""
    return 0 if "not_run" in result else 1 + finished(result)


def _every_trial(chosen: Sequence[Trial], setting: Setting, options: argparse.Namespace) -> int:
    """Each in a process of its own."""
    code, end = 0, time.monotonic() + options.stop_after
    same = ["--seed", str(setting.seed), "--out", str(setting.folder.resolve())]
    same += [f"--{name}" for name in ("quick", "again") if getattr(options, name)]
    same += ["--recorded", str(setting.recorded.resolve())] if setting.recorded else []
    for trial in chosen:
        if time.monotonic() < end:
            left = ["--stop-after", f"{end - time.monotonic():.0f}"] if options.stop_after < inf else []
            command = [sys.executable, "-m", "reliability", "--only", trial.name, *same, *left]
            code = max(code, abs(subprocess.run(command, cwd=ROOT).returncode))
    return code


def _write_page() -> int:
    write_page()
    print(f"written: {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        print("stopped; the same command goes on behind the last piece", file=sys.stderr)
        raise SystemExit(130) from None
    except (FileError, OSError) as error:  # a folder that cannot be written, a recording that cannot be read
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
