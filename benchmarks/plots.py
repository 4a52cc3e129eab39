"""The pictures of docs/speed.md: growth as small multiples on logarithmic axes, and load.

    draw_growth(curves, Path("growth.svg"))
    draw_load(found["load"]["found"], Path("load.svg"))

A white card with dark lines reads well on a light and on a dark screen. Text stays text, so that files are
small and the numbers in them can be searched for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.growth import Curve
from envs.retail.files import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4
BLUE, ORANGE, GREY = "#2f6db5", "#c8642c", "#9a9a9a"
STYLE = {
    "svg.hashsalt": "speed",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.titlesize": 8,
}
Points = Sequence[tuple[float, float]]


def draw_growth(curves: Sequence[Curve], file: Path) -> None:
    """A panel for each curve: seconds of CPU over size, with the line of slope 1 and the fitted slope."""
    import matplotlib
    from matplotlib.figure import Figure

    rows = -(-len(curves) // COLUMNS)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 1.85 * rows + 0.3))
        panels = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
        for axes, curve in zip(panels, curves, strict=False):
            _growth_panel(axes, curve)
        for axes in panels[len(curves) :]:
            axes.set_visible(False)
        _save(figure, file)


def _growth_panel(axes: Axes, curve: Curve) -> None:
    start = curve.seconds[-1] / curve.sizes[-1]
    axes.loglog(curve.sizes, [start * size for size in curve.sizes], color=GREY, linewidth=1, linestyle=":")
    axes.loglog(curve.sizes, curve.seconds, "o-", color=BLUE, linewidth=1.5, markersize=3)
    axes.set_title(curve.name, pad=14)
    axes.text(0.5, 1.03, slope(curve), transform=axes.transAxes, ha="center", fontsize=7)
    axes.set_xlabel(curve.over, labelpad=1)
    axes.set_ylabel("s", labelpad=1)
    _plain(axes)


def slope(curve: Curve) -> str:
    """The fitted exponents as the picture says them."""
    return f"slope {curve.exponent:.2f}, at the end {curve.last:.2f}"


def draw_load(found: Mapping[str, Any], file: Path) -> None:
    """Throughput and memory of live episodes; threads and processes; the endpoint."""
    import matplotlib
    from matplotlib.figure import Figure

    live, endpoint = found["live"], found["endpoint"]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 5.0))
        (speed, memory), (sides, talk) = figure.subplots(2, 2)
        _lines(speed, "Live episodes: steps a second", "live episodes", {
            "": [(one["live"], one["steps_per_second"]) for one in live]})  # fmt: skip
        _lines(memory, "Live episodes: bytes of each, half done", "live episodes", {
            "": [(one["live"], one["bytes_each"]) for one in live]})  # fmt: skip
        _lines(sides, f"Side by side on {found['cores']} cores: steps a second", "at once", {
            name: [(one["at_once"], one["steps_per_second"]) for one in found[name]]
            for name in ("threads", "processes")})  # fmt: skip
        curves = {
            name: [(one["concurrent"], one["answers_per_second"]) for one in curve]
            for name, curve in endpoint["curves"].items()
        }
        _lines(talk, f"Endpoint, {1000 * endpoint['latency']:g} ms an answer: answers a second",
               "episodes at once", curves)  # fmt: skip
        counts = [x for x, _ in next(iter(curves.values()))]
        talk.plot(
            counts, [x / endpoint["latency"] for x in counts], ":", color=GREY, label="nobody ever waits"
        )
        talk.legend(frameon=False)
        for axes in (speed, memory, sides):
            axes.set_ylim(0, None)
        talk.set_yscale("log", subs=[])
        _save(figure, file)


def _lines(axes: Axes, title: str, x: str, lines: Mapping[str, Points]) -> None:
    for color, (name, points) in zip((BLUE, ORANGE), lines.items(), strict=False):
        axes.plot(*zip(*points, strict=True), "o-", color=color, linewidth=1.5, markersize=4, label=name)
    axes.set_xscale("log", subs=[])
    places = sorted({x for points in lines.values() for x, _ in points})
    axes.set_xticks(places, [f"{x:,}" for x in places])
    axes.set_title(title)
    axes.set_xlabel(x, labelpad=1)
    if len(lines) > 1:
        axes.legend(frameon=False)
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7)
    axes.minorticks_off()


def _save(figure: Figure, file: Path) -> None:
    figure.tight_layout()
    with whole_file(file) as out:
        figure.savefig(out.buffer, format="svg", metadata={"Date": None})
