"""The picture of docs/architecture.md: houses with their modules, and arrows for who imports whom.

    svg = picture(read_modules(ROOT))

Plain SVG text, always the same bytes for the same code, readable on a light and on a dark page. An arrow
that points the wrong way is drawn too, in red; the tests see to it that there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from pipeline.docs.imports import ALLOWED, Module, arrows

LINE, COLUMN, PAD, TITLE = 15, 126, 12, 22  # a line of text, a column of modules, room around them
GAP = 44  # between houses, for the arrows
LEFT, RIGHT = 3 * COLUMN + 4 * PAD, 4 * COLUMN + 4 * PAD  # of scaleout and of pipeline
# The houses from top to bottom: name, left edge, columns of modules.
ROWS = (
    (("notebooks", PAD, 5),),
    (("helpers", PAD, 1),),
    (("scaleout", PAD, 3), ("pipeline", LEFT + GAP, 4)),
    (("envs", PAD, 8),),
)
STYLE = """
text { font: 11px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2933 }
.house { fill: #eef3f8; stroke: #5b7083 } .room { fill: #ffffff; stroke: #b6c2cd }
.title { font-weight: bold; font-size: 14px } .room-title { font-weight: bold }
.arrow { fill: none; stroke: #2f6db5; stroke-width: 2 } .tip { fill: #2f6db5 }
.count { fill: #2f6db5; font-weight: bold }
.wrong { stroke: #d1242f; stroke-dasharray: 6 4 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .house { fill: #161b22; stroke: #7d8fa1 } .room { fill: #0d1117; stroke: #3d4a57 }
.arrow { stroke: #6cb0f5 } .tip, .count { fill: #6cb0f5 } .wrong { stroke: #ff7b72 }
}
"""


@dataclass(frozen=True)
class Box:
    """A rectangle of the picture."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height


def picture(modules: Mapping[str, Module]) -> str:
    """The whole picture as SVG."""
    width = LEFT + GAP + RIGHT + GAP
    parts, boxes, top = [], {}, PAD
    for row in ROWS:
        lowest = top
        for house, start, columns in row:
            whole = width - 2 * PAD if len(row) == 1 else (LEFT if house == "scaleout" else RIGHT)
            drawn, box = _house(house, modules, start, top, whole, columns)
            parts += drawn
            boxes[house] = box
            lowest = max(lowest, box.bottom)
        top = lowest + GAP
    found = {pair: count for pair, count in arrows(modules).items() if set(pair) <= boxes.keys()}
    parts += [piece for pair, count in found.items() for piece in _arrow(pair, count, boxes, width)]
    size = f"{width:g} {top - GAP + PAD:g}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{width:g}" role="img">',
            "<title>Who imports whom: notebooks, helpers, pipeline, envs; and scaleout beside them</title>",
            f"<style>{STYLE}</style>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>',
            *parts,
            "</svg>\n",
        ]
    )


def _house(
    house: str, modules: Mapping[str, Module], left: float, top: float, width: float, columns: int
) -> tuple[list[str], Box]:
    """A house with a room for each of its folders, the folders under one another."""
    rooms: dict[str, list[str]] = {}
    for one in modules.values():
        if one.house == house and one.name != one.package:  # a folder's own code is its title
            rooms.setdefault(one.package, []).append(one.own_name)
    drawn, y = [], top + TITLE + 4
    for package, names in rooms.items():
        pieces, height = _room(package, names, left + PAD, y, width - 2 * PAD, columns)
        drawn += pieces
        y += height + 8
    box = Box(left, top, width, y - top + 4)
    title = f'<text class="title" x="{left + PAD:g}" y="{top + 18:g}">{house}</text>'
    return [_rectangle("house", box), title, *drawn], box


def _room(
    package: str, names: Sequence[str], left: float, top: float, width: float, columns: int
) -> tuple[list[str], float]:
    rows, column = -(-len(names) // columns), (width - 8) / columns
    box = Box(left, top, width, TITLE + rows * LINE + 4)
    drawn = [_rectangle("room", box), _text("room-title", left + 8, top + 15, package)]
    for place, name in enumerate(names):
        x, y = left + 8 + place // rows * column, top + TITLE + LINE * (place % rows) + 10
        drawn.append(_text("", x, y, name))
    return drawn, box.height


def _arrow(pair: tuple[str, str], count: int, boxes: Mapping[str, Box], width: float) -> list[str]:
    """A line with a tip and a number: down, to the side, or down along the right edge."""
    start, end = (boxes[house] for house in pair)
    if start.top == end.top:
        y = start.top + 60
        ends = (start.right, end.left) if start.left < end.left else (start.left, end.right)
        path, place = f"M{ends[0]:g} {y} H{ends[1]:g}", (min(ends) + 8, y - 6)
    elif pair == ("helpers", "envs"):
        x = width - PAD - GAP / 2
        path, place = f"M{x:g} {start.bottom:g} V{end.top:g}", (x - 34, end.top - 22)
    else:
        narrow = min(start, end, key=lambda box: box.width)
        x = narrow.left + narrow.width / 2
        ends = (start.bottom, end.top) if start.top < end.top else (start.top, end.bottom)
        path, place = (
            f"M{x:g} {ends[0]:g} V{ends[1]:g}",
            (x + 8, max(ends) - 22 if start.top < end.top else 0),
        )
    wrong = "" if pair[1] in ALLOWED[pair[0]] else " wrong"
    return [
        f'<path class="arrow{wrong}" marker-end="url(#tip)" d="{path}"/>',
        _text("count", *place, str(count)),
    ]


def _rectangle(kind: str, box: Box) -> str:
    places = f'x="{box.left:g}" y="{box.top:g}" width="{box.width:g}" height="{box.height:g}"'
    return f'<rect class="{kind}" rx="6" {places}/>'


def _text(kind: str, x: float, y: float, words: str) -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:g}" y="{y:g}">{escape(words)}</text>'
