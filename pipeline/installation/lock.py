"""Writes the lock files and checks them: every package of an environment with its hashes, resolved with uv.

    make lock                       # write them; ARGS=--upgrade takes newer releases of what nobody pins
    make lock-check                 # still what the requirements ask for? resolved again, wheels looked for
    make lock-check OFFLINE=1       # the part that only reads files

One resolution covers Linux on x86_64 and aarch64 with Python 3.11 to 3.13. Hashes are those of the package
index uv asks (PyPI, or what UV_DEFAULT_INDEX names); no address is written down.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

from pipeline.installation.pins import LOCKS, ROOT, drift, read_lock

PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28")


class LockError(RuntimeError):
    """A lock that could not be made or does not hold; the message says what to do."""


def write_locks(folder: Path, *extra: str) -> None:
    """Resolve each set into its lock file; what is locked already stays unless a pin moves it."""
    for lock, sources in LOCKS.items():
        _uv(
            "pip", "compile", "--quiet", "--universal", "--python-version", PYTHONS[0], "--generate-hashes",
            "--no-build", "--custom-compile-command", "make lock", "--python", sys.executable,
            *extra, *sources, "--output-file", str(folder / lock),
        )  # fmt: skip


def resolved_otherwise(folder: Path) -> list[str]:
    """Packages that a new resolution would lock otherwise than a folder's lock files do."""
    differences = []
    with tempfile.TemporaryDirectory() as scratch:
        for lock in LOCKS:
            shutil.copy(folder / lock, scratch)
        write_locks(Path(scratch))
        for lock in LOCKS:
            old, new = (
                {(p.name, p.version, p.marker) for p in read_lock(at / lock)}
                for at in (folder, Path(scratch))
            )
            differences += [
                f"{lock}: {name}=={version} is not in a new resolution" for name, version, _ in old - new
            ]
            differences += [
                f"{lock}: a new resolution has {name}=={version}" for name, version, _ in new - old
            ]
    return sorted(set(differences))


def without_wheels(folder: Path) -> list[str]:
    """Locks, processors and Pythons for which the index lacks a wheel with one of the hashes."""
    missing = []
    for lock, platform, python in product(LOCKS, PLATFORMS, PYTHONS):
        with tempfile.TemporaryDirectory() as empty:
            try:
                _uv(
                    "pip", "install", "--quiet", "--dry-run", "--no-deps", "--require-hashes", "--no-build",
                    "--python-platform", platform, "--python-version", python, "--target", empty,
                    "--python", sys.executable, "-r", str(folder / lock),
                )  # fmt: skip
            except LockError as error:
                missing.append(f"{lock} on {platform} with Python {python}: {error}")
    return missing


def _uv(*arguments: str) -> None:
    program = Path(sys.executable).with_name("uv")
    if not program.exists():
        raise LockError("uv is not installed here: use `make lock` or `make lock-check`, which bring it")
    done = subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise LockError(done.stderr.strip() or f"uv ended with {done.returncode}")


def check(offline: bool) -> list[str]:
    """All complaints about the project's locks."""
    complaints = drift(ROOT)
    if complaints or offline:
        return complaints
    return resolved_otherwise(ROOT) or without_wheels(ROOT)


def main(argv: list[str] | None = None) -> int:
    """`python -m pipeline.installation.lock write|check`; 2 where a lock does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.installation.lock", description="Write and check lock files"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write", help="resolve the sets into requirements*.lock")
    write.add_argument("--upgrade", action="store_true", help="take newer releases of what is not pinned")
    checks = commands.add_parser("check", help="do the locks hold what the requirements ask for?")
    checks.add_argument("--offline", action="store_true", help="only read files")
    options = parser.parse_args(argv)
    offline = options.command == "write" or options.offline
    try:
        if options.command == "write":
            write_locks(ROOT, *(["--upgrade"] if options.upgrade else []))
        complaints = check(offline)
    except (LockError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    if complaints:
        print(*complaints, "write them again with `make lock`", sep="\n", file=sys.stderr)
        return 2
    known = "the requirements" if offline else "the requirements, a new resolution and the index"
    print(f"{', '.join(LOCKS)} agree with {known}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
