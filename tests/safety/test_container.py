"""Jupyter in the container asks for a token, and the documented command opens it to this machine alone."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(ROOT.glob("Dockerfile*"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("scaleout/*/README.md"), *FILES])


def test_there_is_a_container_to_look_at():
    assert FILES


@pytest.mark.parametrize("file", [*FILES, ROOT / "Makefile"], ids=lambda file: file.name)
def test_jupyter_always_asks_for_its_token(file):
    text = file.read_text(encoding="utf-8")
    assert not re.search(
        r"""(token|password|hashed_password)["']?\s*[=:]\s*(["']{2}|["']?\s*(["',\]]|$))""", text, re.M
    )
    assert not re.search(
        r"(?i)disable_check_xsrf|allow_origin|JUPYTER_TOKEN=\S*[\"'\s]*$|password_required=False", text
    )
    assert "--allow-root" not in text


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_published_ports_are_this_machines_own(file):
    """Docker publishes `-p 8888:8888` to the whole network, past the firewall."""
    for options in re.findall(r"docker run(?:\\\n|[^\n`])*", file.read_text(encoding="utf-8")):
        for port in re.findall(r"(?:-p|--publish)[ =]\s*(\S+)", options):
            assert port.startswith("127.0.0.1:"), f"{file.name}: -p {port}"
        assert (
            "--privileged" not in options and "--network host" not in options and "--net=host" not in options
        )


def test_the_container_does_not_work_as_root():
    for file in FILES:
        users = re.findall(r"^USER (\S+)", file.read_text(encoding="utf-8"), re.M)
        assert users and users[-1] not in ("root", "0"), file.name
