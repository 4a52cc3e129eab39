"""docs/speed.md and its pictures, made from outputs/reference/speed.json and from nothing else.

write_all(PLACES)             # the page and two pictures
page(found, PLACES)           # its text; a test holds the committed page against it
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.growth import Curve
from benchmarks.plots import draw_growth, draw_load
from envs.retail.files import read_json, whole_file
from pipeline.runs import ROOT

Found = Mapping[str, Any]


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

That takes some twelve minutes on two cores and writes this page, its pictures and `outputs/reference/speed.json`.
With checkouts of [tau-bench](https://github.com/sierra-research/tau-bench) and
[ToolRL](https://github.com/qiancheng0/ToolRL) beside the project, two more comparisons are made:
`make bench ARGS="--against path/to/tau-bench --against path/to/ToolRL"`. One part alone:

```bash
make bench ARGS="--only parser"
```

`benchmarks/README.md` says how each thing is measured. CPU time is the process's own, so other work on the
machine disturbs it less than it disturbs the clock on the wall."""

TABLE = """## Ratios, measured in one run

A ratio is the other one's time over ours in the same round: above 1 ours is faster. The table shows the median
of the rounds, and in brackets the smallest and the largest."""

GROWTH = """## How cost grows with the work

CPU seconds at several sizes. *Slope* is the exponent that fits all points: 1 means that ten times the work
takes ten times as long, 2 means a hundred times. *At the end* is the slope between the two largest sizes,
where a fixed cost no longer counts. The dotted lines have slope 1."""

TURNS = """SFT rows with a row for each step repeat a conversation's beginning in every row, so their text grows
with the square of its turns by what they are; a row for each episode does not. A chat endpoint is sent the
whole conversation with each request, so its traffic does too."""

LOAD = """## Load

Gold episodes of the project's held-out tasks, all opened at once, stepped in turn (one action of each, then
the next of each) and scored; every one of them succeeded, or the run would have stopped."""

SIDES = """Threads share one shop; Python lets one of them compute at a time, so they bring nothing here and are
measured to show that they do no harm. Processes have a shop each."""

ENDPOINT = """### Customers behind an endpoint

An evaluation whose customer, or whose customer and agent, are models behind an OpenAI-compatible address. The
address is a stand-in in a process of its own that answers after {latency:g} ms; of 150 answers one is a 500,
one a 429, and one breaks off half way. Requests run in threads, one for each episode, and nobody waits for
another episode's customer. *Lost* counts episodes that did not end as they should, after everything that was
tried again."""


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
    other = before > 0.5 or after > machine["cores"]
    busy = f" Load average {before} before and {after} after"
    return words + busy + (": other work ran at the same time." if other else ".")


# --- tables: heads and rows


def ratios(rows: Sequence[Found]) -> tuple[list[str], list[list[str]]]:
    """The table of ratios."""
    heads = ["", "of what", "beside", "ours", "theirs", "ratio"]
    return heads, [_ratio(row) for row in rows]


def _ratio(row: Found) -> list[str]:
    times = [duration(row[side]) if row[side] is not None else "" for side in ("ours", "theirs")]
    if row["unit"]:
        times[0] += f" per {row['unit']}"
    if row["ratio"]:
        spread = [number(row["ratio"][name]) for name in ("median", "min", "max")]
        ratio = "**{}** ({} to {}), {}".format(*spread, row["clock"])
    else:
        ratio = row["note"] if row["ours"] is None or row["name"] == "overhead" else "not compared"
    return [row["name"], row["what"], row["against"], *times, ratio]


def notes(rows: Sequence[Found]) -> list[str]:
    """What the rows add, each once, behind the name of what it belongs to."""
    told = {f"*{row['name']}*: {row['note']}." for row in rows if row["note"] and row["ours"] is not None}
    return sorted(words for words in told if not words.startswith("*overhead*"))


def growth(curves: Sequence[Curve]) -> tuple[list[str], list[list[str]]]:
    """Each curve's slopes, and what one costs at the smallest and at the largest size."""
    heads = ["", "over", "from", "to", "for one, at first", "for one, at the end", "slope", "at the end"]
    return heads, [_growth(curve) for curve in curves]


def _growth(curve: Curve) -> list[str]:
    ends = (0, len(curve.sizes) - 1)
    sizes = [f"{curve.sizes[end]:,}" for end in ends]
    each = [duration(curve.seconds[end] / curve.sizes[end]) for end in ends]
    return [curve.name, curve.over, *sizes, *each, f"{curve.exponent:.2f}", f"{curve.last:.2f}"]


def live(found: Found) -> tuple[list[str], list[list[str]]]:
    """Live episodes."""
    heads = [
        "live episodes",
        "CPU of a step",
        "steps a second",
        "bytes of each, half done",
        "process grew by",
    ]
    rows = [
        [
            f"{one['live']:,}",
            duration(one["cpu_per_step"]),
            f"{one['steps_per_second']:,.0f}",
            f"{one['bytes_each']:,.0f}",
            "" if one["process_grew"] is None else f"{one['process_grew'] / 1e6:,.1f} MB",
        ]
        for one in found["live"]
    ]
    return heads, rows


def sides(found: Found) -> tuple[list[str], list[list[str]]]:
    """Threads and processes."""
    heads = ["", "at once", "steps a second", "CPU of a step"]
    rows = [
        [name, str(one["at_once"]), f"{one['steps_per_second']:,.0f}", duration(one["cpu_per_step"])]
        for name in ("threads", "processes")
        for one in found[name]
    ]
    return heads, rows


def talks(found: Found) -> tuple[list[str], list[list[str]]]:
    """The endpoint."""
    heads = ["at the endpoint", "at once", "episodes", "lost", "answers", "answers a second"]
    heads += ["of what waiting alone allows", "CPU of an answer"]
    latency = found["endpoint"]["latency"]
    rows = [
        [
            who,
            str(one["concurrent"]),
            f"{one['episodes']:,}",
            str(one["lost"]),
            f"{one['answers']:,}",
            f"{one['answers_per_second']:,.0f}",
            f"{one['answers_per_second'] * latency / one['concurrent']:.0%}",
            duration(one["cpu_per_answer"]),
        ]
        for who, curve in found["endpoint"]["curves"].items()
        for one in curve
    ]
    return heads, rows


def curves_of(found: Found) -> list[Curve]:
    """The growth curves of the file."""
    return [
        Curve(one["name"], one["over"], tuple(one["sizes"]), tuple(one["seconds"]))
        for one in found["growth"]["found"]
    ]


# --- how things are written


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{number(seconds / size)} {unit}"
    return f"{number(seconds / 1e-9)} ns"


def number(value: float) -> str:
    """Three digits, all of a large number's."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of a page."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plain(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of a terminal."""
    lines = [[cell.replace("**", "") for cell in line] for line in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
