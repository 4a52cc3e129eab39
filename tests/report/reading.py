"""A run's page as its readers see it: the words of a person, the data of the page's script."""

import json
import re
from html import unescape
from pathlib import Path


def page_of(run: Path) -> str:
    return (run / "report.html").read_bytes().decode()


def words_of(html: str) -> str:
    """What a reader sees, on one line."""
    html = re.sub(r"<(script|style).*?</\1>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def data_of(html: str) -> dict:
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1]
    )


def unpacked(data: dict) -> list[dict]:
    """The tasks with their texts back in place, as the page's script sees them."""

    def whole(value):
        if isinstance(value, dict):
            return data["texts"][value["$"]] if "$" in value else {k: whole(v) for k, v in value.items()}
        return [whole(inner) for inner in value] if isinstance(value, list) else value

    return whole(data["tasks"])


def verdict_rows(html: str) -> dict[str, dict[str, str]]:
    """Of each stage, the words in each column."""
    table = re.search(r'<table class="cards verdict">(.*?)</table>', html, re.DOTALL)[1]
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table, re.DOTALL)
    cells = r'<td data-label="([^"]+)"[^>]*>(.*?)</td>'
    return {
        stage: {name: words_of(cell) for name, cell in re.findall(cells, row, re.DOTALL)}
        for stage, row in rows
    }
