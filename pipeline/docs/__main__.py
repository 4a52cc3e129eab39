"""`python -m pipeline.docs`: write what docs/ says of the code again, always the same bytes."""

import sys
from collections.abc import Mapping

from envs.retail.database import Shop
from envs.retail.files import whole_file
from pipeline.docs import MARKS, cheating, drawing, healthy, imports, settings
from pipeline.reference_page import put_into
from pipeline.runs import ROOT


def made_parts(modules: Mapping[str, imports.Module]) -> dict[str, str]:
    """What belongs between the marks of each page."""
    return {
        "configuration.md": settings.tables(),
        "architecture.md": imports.tables(modules),
        "metrics.md": healthy.table(),
        "rewards.md": cheating.table(Shop.load()),
    }


def main() -> int:
    """Write the made parts of the pages, and the picture."""
    modules, docs = imports.read_modules(ROOT), ROOT / "docs"
    parts = made_parts(modules)
    for page, part in parts.items():
        put_into(docs / page, part, MARKS)
    with whole_file(docs / "architecture.svg") as out:
        out.write(drawing.picture(modules))
    print(f"written: {', '.join(parts)} and architecture.svg in {docs}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
