"""The lock files hold what the requirements ask for, whole and with hashes; a change of either is noticed."""

import shutil
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from pipeline.installation import lock
from pipeline.installation.pins import (
    LOCKS,
    ROOT,
    Pin,
    drift,
    main,
    read_lock,
    read_pins,
    same_name,
    unpinned,
)

SYSTEMS = [
    {"platform_machine": machine, "python_version": python, "python_full_version": f"{python}.9"}
    for machine in ("x86_64", "aarch64")
    for python in ("3.11", "3.12", "3.13")
]


@pytest.fixture
def folder(tmp_path):
    """A copy of the requirements and locks, to change."""
    for path in ROOT.glob("requirements*"):
        shutil.copy(path, tmp_path)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def environment(system: dict[str, str]) -> dict[str, str]:
    linux = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    return linux | {"implementation_name": "cpython", "platform_python_implementation": "CPython"} | system


def locked_for(name: str, system: dict[str, str]) -> dict[str, str]:
    """Package -> version on a system; a package stands there once."""
    found = [
        one
        for one in read_lock(ROOT / name)
        if not one.marker or Requirement(f"x; {one.marker}").marker.evaluate(environment(system))
    ]
    assert len({one.name for one in found}) == len(found)
    return {one.name: one.version for one in found}


def test_the_locks_hold_what_the_requirements_ask_for():
    assert drift(ROOT) == []
    assert lock.main(["check", "--offline"]) == 0


@pytest.mark.parametrize("name", LOCKS)
def test_no_lock_names_an_index(name):
    text = (ROOT / name).read_text()
    assert "://" not in text and "--index" not in text and "--find-links" not in text and " @ " not in text


@pytest.mark.parametrize(
    "system", SYSTEMS, ids=lambda system: f"{system['platform_machine']}-{system['python_version']}"
)
def test_every_system_gets_all_pins_and_one_version_of_everything(system):
    dev = locked_for("requirements-dev.lock", system)
    for name, sources in LOCKS.items():
        held = locked_for(name, system)
        pins = [pin for source in sources for pin in read_pins(ROOT / source)]
        wanted = {pin.name: pin.version for pin in pins if pin.machine in ("", system["platform_machine"])}
        assert wanted.items() <= held.items()
        assert dev.items() <= held.items(), "the sets are installed one over the other"


@pytest.mark.parametrize("name", LOCKS)
def test_what_is_installed_here_asks_for_nothing_that_the_lock_lacks(name):
    """Each package of the locked version says itself what it needs; Unsloth is installed without it."""
    held = locked_for(name, {})
    checked = 0
    for package, version in held.items():
        try:
            here = metadata.distribution(package)
        except metadata.PackageNotFoundError:
            continue
        if here.version != version or package in ("unsloth", "unsloth-zoo"):
            continue
        checked += 1
        for text in here.requires or ():
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                found = held.get(same_name(need.name))
                assert found and SpecifierSet(str(need.specifier)).contains(found, prereleases=True), (
                    f"{package}: {text}"
                )
    assert checked > 20


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("requirements-cpu.txt", "peft==0.21.2", "peft==0.21.3", "pins peft==0.21.3, the lock holds 0.21.2"),
        ("requirements-dev.txt", "pandas==3.1.1\n", "", "pandas is there for -r requirements-dev.txt, which"),
        ("requirements.txt", "tyro==", "brandnew==", "pins brandnew==1.0.17, the lock holds nothing"),
        ("requirements.lock", "tyro==1.0.17", "tyro==1", "pins tyro==1.0.17, the lock holds 1"),
    ],
)
def test_drift_is_noticed_and_named(folder, file, old, new, complaint):
    change(folder / file, old, new)
    assert any(complaint in line for line in drift(folder)), drift(folder)


def test_a_missing_hash_and_a_missing_lock_are_noticed(folder):
    (folder / "requirements-cpu.lock").unlink()
    lines = (folder / "requirements-dev.lock").read_text().splitlines(keepends=True)
    start = next(i for i, line in enumerate(lines) if line.startswith("execnet=="))
    end = next(i for i in range(start + 1, len(lines)) if "--hash" not in lines[i])
    (folder / "requirements-dev.lock").write_text("".join(lines[: start + 1] + lines[end:]))
    assert drift(folder) == ["requirements-dev.lock: execnet has no hash", "requirements-cpu.lock is missing"]


def test_a_line_that_is_no_pin_is_refused_by_name(tmp_path):
    path = tmp_path / "requirements-x.txt"
    path.write_text("torch>=2\n")
    with pytest.raises(ValueError, match=r'requirements-x.txt: write `name==version`, not "torch>=2"'):
        read_pins(path)
    path.write_text('Big_Name==1.2  # why\n\n# none\nxformers==0.1; platform_machine == "x86_64"\n')
    assert read_pins(path) == [Pin("big-name", "1.2"), Pin("xformers", "0.1", "x86_64")]


def test_unpinned_keeps_packages_and_processors_and_drops_versions(capsys):
    main(["unpinned", str(ROOT / "requirements-dev.txt"), str(ROOT / "requirements.txt")])
    lines = capsys.readouterr().out.splitlines()
    assert not any("==" in line.split(";")[0] for line in lines) and len(lines) == len(set(lines))
    names = {pin.name for file in LOCKS["requirements.lock"] for pin in read_pins(ROOT / file)}
    assert {Requirement(line).name for line in lines} == names
    assert 'xformers; platform_machine == "x86_64"' in lines
    assert unpinned([]) == "\n"


def test_unpinned_keeps_to_the_limits_of_an_installed_package(tmp_path, monkeypatch):
    """As Unsloth, which is installed by itself and sets limits to trl and transformers."""
    own = tmp_path / "host_package-1.0.dist-info"
    own.mkdir()
    limits = ("trl<=1.15.0", "certifi>=2026.10.19", 'peft<1; sys_platform == "linux"', 'peft<9; extra == "x"')
    needs = "".join(f"Requires-Dist: {limit}\n" for limit in limits)
    (own / "METADATA").write_text(f"Metadata-Version: 2.1\nName: host_package\nVersion: 1.0\n{needs}")
    monkeypatch.syspath_prepend(str(tmp_path))
    files = tmp_path / "requirements-x.txt"
    files.write_text("host-package==1.0\ntrl==1.0\npeft==0.1\npandas==3\n")
    assert unpinned([files], ["Host_Package"]).splitlines() == [
        "trl",
        "peft",
        "pandas",
        "trl<=1.15.0",
        'peft<1; sys_platform == "linux"',
    ]


def test_limits_of_a_package_that_is_not_there_are_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["unpinned", "--within", "no-such-package", str(ROOT / "requirements-dev.txt")])
    assert ended.value.code == 2 and "no-such-package is not installed here" in capsys.readouterr().err


def test_a_missing_file_is_one_sentence_and_exit_code_2(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["unpinned", "no-such-file.txt"])
    assert ended.value.code == 2 and "no-such-file.txt" in capsys.readouterr().err
