"""Whether a container does its work, for Docker's HEALTHCHECK; exits with 1 and a sentence where it does not.

    python container/healthy.py

JupyterLab has to answer on its port. A run (train, demo, or a command of the pipeline) has to have written
something in the last hour: a step's numbers, an episode, a notebook's cell, a checkpoint, or a part of the
model it downloads. `HEALTH_MINUTES` makes it more or less than 60. Other commands are healthy while they run.
"""

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def main() -> int:
    """Look at what the container was started as (container/entry.sh writes it down)."""
    state = Path(os.environ.get("STATE_FILE", "/tmp/retail-agent-state"))
    kind = state.read_text().strip() if state.exists() else "nothing"
    problem = {"lab": _lab, "run": _run, "command": str}.get(kind, _nothing)()
    print(problem or f"{kind}: fine")
    return 1 if problem else 0


def _nothing() -> str:
    return "nothing was started by container/entry.sh"


def _lab() -> str:
    """Any answer will do, a refusal too: only silence and a broken server are ill."""
    port = os.environ.get("PORT", "8888")
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=10).close()
    except urllib.error.HTTPError as error:
        return f"JupyterLab is broken: {error}" if error.code >= 500 else ""
    except OSError as error:
        return f"JupyterLab does not answer on port {port}: {error}"
    return ""


def _run() -> str:
    minutes = float(os.environ.get("HEALTH_MINUTES", "60"))
    caches = (os.environ.get(name) for name in ("HF_HOME", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"))
    outputs = os.environ.get("TOOL_OUTPUTS") or PROJECT / "outputs"
    since = time.time() - 60 * minutes
    if any(_written_since(since, Path(folder)) for folder in (outputs, *caches) if folder):
        return ""
    return f"nothing was written to outputs or the caches for {minutes:g} minutes: the run may hang"


def _written_since(since: float, folder: Path) -> bool:
    return any(_time(path) > since for path in _files(folder))


def _files(folder: Path) -> Iterable[Path]:
    return (Path(where) / name for where, _, names in os.walk(folder) for name in names)


def _time(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:  # a temporary file that is gone by now
        return 0.0


if __name__ == "__main__":
    sys.exit(main())
