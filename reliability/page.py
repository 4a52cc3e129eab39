"""docs/reliability.md, written from the results of the trials and from nothing else.

    write_page()                    # from outputs/reference/reliability/*.json
    page({"parser": result})        # the text

The words come from the trials, every figure from a result. A test compares page and results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from envs.retail.files import read_json, whole_file
from pipeline.runs import ROOT
from reliability.trial import Trial
from reliability.trials import TRIALS

PAGE = ROOT / "docs" / "reliability.md"
REFERENCE = ROOT / "outputs" / "reference" / "reliability"
Result = Mapping[str, Any]

_OPENING = """# Reliability

What was tried to break the project, and what came of it. This page is written by `make reliability` from
the results in `outputs/reference/reliability`; nothing in it is typed by hand.

```bash
make reliability                                     # everything in full
make reliability ARGS="--quick"                      # a small setting of everything; writes no page
make reliability ARGS="--list"                       # the trials by name; `--only` runs one of them
```

A trial is a row of numbered cases. A case is told by its number and the seed, so any of them can be run
again by itself (`python -m reliability --only NAME --case NUMBER`). A run that was stopped goes on with the
same command, and what is finished is not run again."""


def write_page(folder: Path = REFERENCE, file: Path = PAGE) -> None:
    """Write the page from a folder of results."""
    with whole_file(file) as out:
        out.write(page(read_results(folder)))


def read_results(folder: Path = REFERENCE) -> dict[str, Result]:
    """The results there are, by trial."""
    files = {trial.name: folder / f"{trial.name}.json" for trial in TRIALS}
    return {name: read_json(file) for name, file in files.items() if file.exists()}


def page(results: Mapping[str, Result], trials: Sequence[Trial] = TRIALS) -> str:
    """The whole page."""
    sections = ["\n".join(_section(trial, results.get(trial.name))) for trial in trials]
    return "\n\n".join([_OPENING, "\n".join(_overview(results, trials)), *sections]) + "\n"


def _overview(results: Mapping[str, Result], trials: Sequence[Trial]) -> Iterator[str]:
    rows = []
    for trial in trials:
        result, name = results.get(trial.name), f"[{trial.title}](#{_anchor(trial.title)})"
        if _ran(result):
            seconds, memory = f"{result['seconds']:,.0f} s", f"{result['peak_mb']:,} MB"
            rows.append([name, _cases(result), f"{result['failed']:,}", seconds, memory])
        else:
            rows.append([name, f"not run: {_why_not(result)}", "", "", ""])
    yield from _table(["trial", "cases", "failures", "wall clock", "most memory"], rows)


def _section(trial: Trial, result: Result | None) -> Iterator[str]:
    yield from [f"## {trial.title}", "", trial.about.strip(), ""]
    if not _ran(result):
        yield f"Not run: {_why_not(result)}."
        return
    yield (
        f"{_cases(result)} cases ({result['setting']} setting, seed {result['seed']}), "
        f"**{result['failed']:,} failures**, {result['seconds']:,.0f} s, "
        f"most memory {result['peak_mb']:,} MB; {result['date']}, {result['machine']}. "
        f"Again: `python -m reliability --only {trial.name} --again`."
    )
    if result["counts"]:
        yield from ["", *_table(["counted", "times"], [[k, f"{n:,}"] for k, n in result["counts"].items()])]
    if result["largest"]:
        largest = [
            [label, _cell(float(value)), f"{case:,}"] for label, (value, case) in result["largest"].items()
        ]
        yield from ["", *_table(["largest", "value", "case"], largest)]
    if rows := result["rows"]:
        yield from ["", *_table(list(rows[0]), [list(map(_cell, row.values())) for row in rows])]
    if result["failures"]:
        failures = [[str(failure["case"]), _cell(failure["what"])] for failure in result["failures"]]
        yield from ["", *_table(["failed case", "how"], failures)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows)]


def _cell(value: Any) -> str:
    """A value as a cell: hostile text stays in its cell, and numbers are short."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    text = str(value).encode("unicode_escape").decode()
    return text.replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


def _ran(result: Result | None) -> bool:
    return result is not None and "not_run" not in result


def _cases(result: Result) -> str:
    """How many were carried out, and of how many where that is not all of them."""
    done, cases = result["done"], result["cases"]
    return f"{done:,}" if done == cases else f"{done:,} of {cases:,}"


def _why_not(result: Result | None) -> str:
    return result["not_run"] if result else "no result yet"


def _anchor(title: str) -> str:
    """As the usual Markdown renderers make it of a heading."""
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -_")
    return kept.replace(" ", "-")
