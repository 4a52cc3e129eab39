"""`python -m pipeline.docs`: write what docs/ says of the code again, always the same bytes."""

import sys
from collections.abc import Callable, Mapping

from envs.retail.database import Shop
from envs.retail.files import whole_file
from pipeline.docs import MARKS, cheating, drawing, healthy, imports, settings
from pipeline.reference_page import put_into
from pipeline.runs import ROOT

# Page -> what belongs between its marks.
PARTS: dict[str, Callable[[Mapping[str, imports.Module]], str]] = {
    "configuration.md": lambda modules: settings.tables(),
    "architecture.md": imports.tables,
    "metrics.md": lambda modules: healthy.table(),
    "rewards.md": lambda modules: cheating.table(Shop.load()),
}


def main() -> int:
    """Write the made parts of the pages, and the picture."""
    modules, docs = imports.read_modules(ROOT), ROOT / "docs"
    for page, part in PARTS.items():
        put_into(docs / page, part(modules), MARKS)
    with whole_file(docs / "architecture.svg") as out:
        out.write(drawing.picture(modules))
    print(f"written: {', '.join(PARTS)} and architecture.svg in {docs}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
