"""Reads what requirements*.txt pin and what the lock files hold, and tells where the two have drifted apart.

    read_pins(ROOT / "requirements-cpu.txt")        # [Pin("torch", "2.13.0"), ...]
    drift(ROOT)                                     # [] or sentences, each naming its file
    python -m pipeline.installation.pins unpinned requirements-dev.txt requirements-cpu.txt   # any version

Only the standard library and no network, so that it runs right after a clone. `make lock` writes the locks.
"""

from __future__ import annotations

import argparse
import importlib
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A lock holds a whole environment: the model's sets are installed beside the set for tests and plots.
LOCKS = {
    "requirements-dev.lock": ("requirements-dev.txt",),
    "requirements-cpu.lock": ("requirements-dev.txt", "requirements-cpu.txt"),
    "requirements.lock": ("requirements-dev.txt", "requirements.txt"),
}
_PIN = re.compile(r'([\w.-]+)==([\w.]+)(?:; platform_machine == "(\w+)")?')
_LOCKED = re.compile(r"([\w.-]+)==([\w.+!]+)(?: ; (.+?))?")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Pin:
    """One line of a requirements file."""

    name: str
    version: str
    machine: str = ""  # the only processor it is for, such as "x86_64"; empty: any


@dataclass(frozen=True)
class Locked:
    """One package of a lock file: its version, for which systems, its hashes and who asked for it."""

    name: str
    version: str
    marker: str = ""
    hashes: int = 0
    wanted_by: tuple[str, ...] = ()  # packages, and requirements files as "-r FILE"


def same_name(name: str) -> str:
    """A package's name as indexes compare it: `unsloth_zoo` and `unsloth-zoo` are one."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_pins(path: Path) -> list[Pin]:
    """The pins of a requirements file, with names as indexes compare them."""
    pins = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.split("#")[0].strip()
        if not text:
            continue
        found = _PIN.fullmatch(text)
        if not found:
            raise ValueError(f'{path.name}: write `name==version`, not "{text}"')
        pins.append(Pin(same_name(found[1]), found[2], found[3] or ""))
    return pins


def pins_for(path: Path, processor: str) -> dict[str, str]:
    """Package -> version of the pins in a requirements file that are for a processor."""
    return {pin.name: pin.version for pin in read_pins(path) if pin.machine in ("", processor)}


def installed_versions() -> dict[str, str]:
    """Every installed package with its version; of two with one name, the first on the path is imported."""
    importlib.invalidate_caches()  # or what this process has just installed is not seen
    found = [(one.metadata["Name"], one.version) for one in metadata.distributions()]
    return {same_name(name): version for name, version in reversed(found) if name}  # None: a broken one


def read_lock(path: Path) -> list[Locked]:
    """The packages of a lock file, in its order."""
    packages = []
    for block in re.split(r"^(?=[^\s#])", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
        first, *rest = block.splitlines()
        if first.startswith("#"):
            continue
        found = _LOCKED.fullmatch(first.removesuffix("\\").rstrip())
        if not found:
            raise ValueError(f'{path.name}: "{first}" is no locked package; write it again with `make lock`')
        hashes = sum(bool(_HASH.search(line)) for line in rest)
        via = [line.strip().removeprefix("#").strip() for line in rest if line.lstrip().startswith("#")]
        wanted_by = tuple(filter(None, (line.removeprefix("via").strip() for line in via)))
        packages.append(Locked(same_name(found[1]), found[2], found[3] or "", hashes, wanted_by))
    return packages


def drift(folder: Path = ROOT) -> list[str]:
    """What the locks of a folder hold that its requirements do not ask for, and the other way round."""
    found = []
    for lock, sources in LOCKS.items():
        if not (folder / lock).exists():
            found.append(f"{lock} is missing")
            continue
        pins = {name: read_pins(folder / name) for name in sources}
        found += [f"{lock}: {complaint}" for complaint in _lock_drift(read_lock(folder / lock), pins)]
    return found


def _lock_drift(locked: list[Locked], pins: dict[str, list[Pin]]) -> list[str]:
    complaints = [f"{one.name} has no hash" for one in locked if not one.hashes]
    held = {one.name: {other.version for other in locked if other.name == one.name} for one in locked}
    asked = [(file, pin) for file, of_file in pins.items() for pin in of_file]
    wanted = {(f"-r {file}", pin.name) for file, pin in asked}
    for file, pin in asked:
        if held.get(pin.name) != {pin.version}:
            there = ", ".join(sorted(held.get(pin.name, ()))) or "nothing"
            complaints.append(f"{file} pins {pin.name}=={pin.version}, the lock holds {there}")
    for one in locked:
        if not one.wanted_by:
            complaints.append(f"nobody asks for {one.name}")
        for parent in one.wanted_by:
            known = (parent, one.name) in wanted if parent.startswith("-r ") else same_name(parent) in held
            if not known:
                complaints.append(f"{one.name} is there for {parent}, which no longer asks for it")
    return complaints


def unpinned(paths: list[Path], within: list[str] | None = None) -> str:
    """The packages of requirements files in any version, as pip reads them.

    Args:
        paths: The requirements files.
        within: Installed packages that set limits to the others, and are left out themselves.
    """
    hosts = [same_name(name) for name in within or ()]
    lines = []
    for pin in dict.fromkeys(pin for path in paths for pin in read_pins(path)):
        marker = f'; platform_machine == "{pin.machine}"' if pin.machine else ""
        lines += [] if pin.name in hosts else [f"{pin.name}{marker}"]
    asked = {line.split(";")[0] for line in lines}
    limits = [text for host in hosts for text in metadata.requires(host) or () if "extra ==" not in text]
    lines += [text for text in limits if same_name(re.match(r"[\w.-]+", text)[0]) in asked]
    return "\n".join(dict.fromkeys(lines)) + "\n"


def main(argv: list[str] | None = None) -> None:
    """`python -m pipeline.installation.pins unpinned FILE...`"""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.installation.pins", description="What is pinned"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    loose = commands.add_parser("unpinned", help="print the packages of requirements files without versions")
    loose.add_argument("files", nargs="+", type=Path)
    loose.add_argument("--within", action="append", metavar="PACKAGE", help="keep an installed one's limits")
    options = parser.parse_args(argv)
    try:
        print(unpinned(options.files, options.within), end="")
    except metadata.PackageNotFoundError as error:
        parser.error(f"{error.name} is not installed here: install it first, or leave out --within")
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
