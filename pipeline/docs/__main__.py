"""`python -m pipeline.docs`: write what docs/ says of settings and modules again, always the same bytes."""

import sys

from envs.retail.files import whole_file
from pipeline.docs import drawing, imports, settings
from pipeline.reference_page import put_into
from pipeline.runs import ROOT


def main() -> int:
    """Write the generated parts of docs/configuration.md and docs/architecture.md, and the picture."""
    found, docs = imports.read_modules(ROOT), ROOT / "docs"
    put_into(docs / "configuration.md", settings.tables(), settings.MARKS)
    put_into(docs / "architecture.md", imports.tables(found), imports.MARKS)
    with whole_file(docs / "architecture.svg") as out:
        out.write(drawing.picture(found))
    print("written: docs/configuration.md, docs/architecture.md, docs/architecture.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
