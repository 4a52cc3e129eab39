"""The tables of docs/speed.md and of the terminal: heads and rows of text, and how numbers are written.

markdown(*ratios(rows)), plain(*ratios(rows))
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.growth import Curve

Found = Mapping[str, Any]


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


def side_by_side(names: Sequence[str], rows: Sequence[Found]) -> tuple[list[str], list[list[str]]]:
    """The rows of `timing.row`: CPU and wall time in each world; with two worlds the ratio of CPU time."""
    heads = ["", *(f"{name} {clock}" for name in names for clock in ("CPU", "wall"))]
    heads += ["ratio of CPU, median (min to max)"] * (len(names) == 2)
    return heads, [_side_by_side(names, row)[: len(heads)] for row in rows]


def _side_by_side(names: Sequence[str], row: Found) -> list[str]:
    cells = [row["name"]]
    for found in map(row.get, names):
        if isinstance(found, Mapping):
            cells += [duration(found["cpu"]), duration(found["wall"])]
        else:  # memory, or not measured in this world
            cells += ["" if found is None else f"{found / 1000:,.1f} KB", ""]
    ratio = row.get("ratio")
    return [*cells, "{median:,.1f} ({min:,.1f} to {max:,.1f})".format(**ratio) if ratio else ""]


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
    heads = ["at the endpoint", "at once", "episodes", "lost", "answers", "asked again", "answers a second"]
    heads += ["of what waiting alone allows", "CPU of an answer"]
    latency = found["endpoint"]["latency"]
    rows = [
        [
            who,
            str(one["concurrent"]),
            f"{one['episodes']:,}",
            str(one["lost"]),
            f"{one['answers']:,}",
            str(one["asked_again"]),
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
