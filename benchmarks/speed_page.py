"""docs/speed.md and its pictures, made from outputs/reference/speed.json and from nothing else.

write_all(PLACES)             # the page and two pictures
page(found, PLACES)           # its text; a test holds the committed page against it
"""

import os
from dataclasses import dataclass
from pathlib import Path

from benchmarks.plots import draw_growth, draw_load
from benchmarks.speed_tables import (
    Found,
    curves_of,
    growth,
    live,
    markdown,
    notes,
    plain,
    ratios,
    sides,
    talks,
)
from envs.retail.files import read_json, whole_file
from pipeline.runs import ROOT


@dataclass(frozen=True)
class Places:
    """Where the numbers, the page and the pictures lie."""

    json: Path
    page: Path
    growth: Path
    load: Path

    @classmethod
    def of(cls, folder: Path) -> "Places":
        """All in one folder."""
        names = ("speed.json", "speed.md", "speed_growth.svg", "speed_load.svg")
        return cls(*(folder / name for name in names))

    def link(self, picture: Path) -> str:
        """A picture's address as the page writes it."""
        return Path(os.path.relpath(picture, self.page.parent)).as_posix()


_REFERENCE = Places.of(ROOT / "outputs" / "reference")
PLACES = Places(_REFERENCE.json, ROOT / "docs" / "speed.md", _REFERENCE.growth, _REFERENCE.load)

INTRODUCTION = """# Speed

This page is written by a command. Its numbers are those of one machine on one day; the ratios travel better
than the times.

```bash
make bench
```

That takes some ten minutes on two cores and writes this page, its pictures and
`outputs/reference/speed.json`. With checkouts of
[tau-bench](https://github.com/sierra-research/tau-bench) and
[ToolRL](https://github.com/qiancheng0/ToolRL) two more comparisons are made:
`make bench ARGS="--against path/to/tau-bench --against path/to/ToolRL"`. The rows *loop* and *overhead* start
from a warmed-up adapter of the tiny model: that of `make demo`, or `--adapter FOLDER`. One row alone is only
printed:

```bash
make bench ARGS="--only parser"
```

`benchmarks/README.md` says how each thing is measured. CPU time is the process's own, so other work on the
machine disturbs it less than it disturbs the clock on the wall."""

TABLE = """## Ratios, measured in one run

A ratio is the other one's time over ours in the same round: above 1 ours is faster. The table shows the
median of the rounds, and in brackets the smallest and the largest."""

GROWTH = """## How cost grows with the work

CPU seconds at several sizes, the quickest of two to five rounds. *Slope* is the exponent that fits all
points: 1 means that ten times the work takes ten times as long, 2 means a hundred times. *At the end* is the
slope between the two largest sizes, where a fixed cost no longer counts. The dotted lines have slope 1."""

TURNS = """SFT rows with a row for each step repeat a conversation's beginning in every row, so their text
grows with the square of its turns by what they are; a row for each episode does not. A chat endpoint is sent
the whole conversation with each request, so its traffic grows with the square of the turns too."""

LOAD = """## Load

Gold episodes of the project's held-out tasks, all opened at once, stepped in turn (one action of each, then
the next of each) and scored; every one of them succeeded, or the run would have stopped. The tasks are taken
from the file in its order, which begins with the simplest: a few live episodes are easier work than many."""

SIDES = """Threads share one shop; Python lets one of them compute at a time, so they bring nothing here and
are measured to show that they do no harm. Processes have a shop each."""

ENDPOINT = """### Customers behind an endpoint

An evaluation whose customer, or whose customer and agent, are models behind an OpenAI-compatible address. The
address is a stand-in in a process of its own that answers after {latency:g} ms; of 150 answers one is a 500,
one a 429, and one breaks off half way. Requests run in threads, one for each episode. Where the agent is
behind the endpoint too, no episode waits for another; an agent in this process writes as soon as half of the
episodes are ready. A Python process computes on one core, so a second divided by the CPU of an answer is the
most it can take in. *Lost* counts episodes that did not end as they should, after everything that was tried
again."""


def write_all(places: Places) -> list[Path]:
    """The page and the pictures of what has been measured so far; the files written."""
    found = read_json(places.json)
    written = [places.page]
    if "growth" in found:
        draw_growth(curves_of(found), places.growth)
        written.append(places.growth)
    if "load" in found:
        draw_load(found["load"]["found"], places.load)
        written.append(places.load)
    with whole_file(places.page) as out:
        out.write(page(found, places))
    return written


def page(found: Found, places: Places) -> str:
    """The page's text."""
    sections = [INTRODUCTION]
    if "table" in found:
        sections += [TABLE, stamp(found["table"]), markdown(*ratios(found["table"]["found"]))]
        sections += notes(found["table"]["found"])
    if "growth" in found:
        curves = curves_of(found)
        picture = f"![Seconds over size, a panel each]({places.link(places.growth)})"
        sections += [GROWTH, stamp(found["growth"]), picture, markdown(*growth(curves)), TURNS]
    if "load" in found:
        measured = found["load"]["found"]
        picture = f"![Throughput and memory over the number at once]({places.link(places.load)})"
        sections += [LOAD, stamp(found["load"]), picture, markdown(*live(measured))]
        sections += [SIDES, markdown(*sides(measured))]
        sections.append(ENDPOINT.format(latency=1000 * measured["endpoint"]["latency"]))
        sections.append(markdown(*talks(measured)))
    return "\n\n".join(sections) + "\n"


def as_text(found: Found) -> str:
    """The same tables for a terminal."""
    tables = []
    if "table" in found:
        tables += [plain(*ratios(found["table"]["found"])), *notes(found["table"]["found"])]
    if "growth" in found:
        tables.append(plain(*growth(curves_of(found))))
    if "load" in found:
        tables += [plain(*part(found["load"]["found"])) for part in (live, sides, talks)]
    return "\n\n".join(tables)


def stamp(part: Found) -> str:
    """When and where a part was measured, and how busy the machine was."""
    machine, (before, after) = part["machine"], part["busy"]
    where = (
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}"
    )
    words = f"Measured on {part['date']} in {part['seconds']:,} s: {where}."
    if before is None:
        return words
    other = max(before, after) > machine["cores"]  # the benchmark itself is one process, or two
    busy = f" Load average {before} before and {after} after"
    return words + busy + (": other work ran at the same time." if other else ".")
