"""Every link of the project's own pages leads somewhere: to a file that is there, and to a heading in it."""

from pathlib import Path
from urllib.parse import unquote

import pytest

pytest.importorskip("mistune", reason="mistune comes with nbconvert: requirements-dev.txt")
import doc_pages as written


@pytest.mark.parametrize("page", written.pages(), ids=str)
def test_links_and_anchors_lead_somewhere(page):
    faults = {url: fault(page, url) for url in written.links(page)}
    assert not {url: why for url, why in faults.items() if why}


def fault(page: Path, url: str) -> str:
    """What is wrong with a link, or nothing."""
    if url.startswith(("http:", "https:", "mailto:")):
        return "use https" if url.startswith("http:") and "localhost" not in url else ""
    path, _, anchor = unquote(url).partition("#")
    target = (written.ROOT / page.parent / path).resolve() if path else written.ROOT / page
    if not target.is_relative_to(written.ROOT):
        return "leaves the project"
    if not target.exists():
        return "is not there"
    if anchor and target.suffix == ".md":
        known = written.anchors(target.relative_to(written.ROOT))
        return "" if anchor in known else f"no such heading; there are {', '.join(sorted(known))}"
    return ""


def test_every_page_of_docs_stands_in_the_index_and_the_readme_leads_there():
    index = {Path(url).name for url in written.links(Path("docs/README.md"))}
    missing = {path.name for path in written.own_files("docs/*.md")} - index - {"README.md"}
    assert not missing, "add a line to docs/README.md"
    assert "docs/README.md" in written.links(Path("README.md"))


def test_a_broken_link_is_found():
    page = Path("README.md")
    assert (
        fault(page, "docs/nowhere.md") == "is not there"
        and fault(page, "../elsewhere") == "leaves the project"
    )
    assert "no such heading" in fault(page, "docs/metrics.md#nothing")
    assert (
        fault(page, "docs/metrics.md#evaluation") == "" and fault(page, "http://example.org") == "use https"
    )


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("What they were like in the reference runs", "what-they-were-like-in-the-reference-runs"),
        ("Metrics, and what to do", "metrics-and-what-to-do"),
        ("`tool_level`, term by term", "tool_level-term-by-term"),
        ("00 · Meet the shop", "00--meet-the-shop"),
    ],
)
def test_headings_become_anchors_as_on_github(heading, expected):
    assert written.slug(heading.replace("`", "")) == expected
