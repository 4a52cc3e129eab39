"""Keys stay where they were given: planted ones are looked for in all that is written and printed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from envs.retail.endpoint import ChatEndpoint, CustomerError
from tests.retail.chat_server import Server, fails, says

ROOT = Path(__file__).parents[2]
PLANTED = {
    "HF_TOKEN": "hf_plantedQx7token",
    "OPENAI_API_KEY": "sk-plantedQx7openai",
    "JUPYTER_TOKEN": "plantedQx7jupyter",
    "WANDB_API_KEY": "plantedQx7wandb",
    "AWS_SECRET_ACCESS_KEY": "plantedQx7aws",
}
MARK = b"plantedQx7"


def command(*words: str, outputs: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A command of the pipeline with planted keys around it."""
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=os.environ | PLANTED | {"TOOL_OUTPUTS": str(outputs), "PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        timeout=120,
    )


def written(folder: Path) -> bytes:
    """All that lies in a folder, names included."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return b"".join(str(file).encode() + file.read_bytes() for file in files)


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


def test_no_key_is_written_or_printed_by_an_evaluation_and_its_report(server, tmp_path):
    server.http.otherwise = says("How can I help?")
    server.script("How can I help?", fails(401, f"Incorrect API key provided: {PLANTED['OPENAI_API_KEY']}"))
    asked = ("--run", "r", "--profile", "tiny", "--test-tasks", "2", "--batch-size", "1")
    model = ("--stage", "served", "--endpoint", server.url, "--name", "m")
    customer = ("--customer-model", "m", "--customer-url", server.url)
    played = command("pipeline.evaluate", "run", *asked, *model, *customer, outputs=tmp_path)
    assert played.returncode == 0, played.stderr.decode()[-500:]
    report = command("pipeline.report_page", "r", outputs=tmp_path)
    assert report.returncode == 0, report.stderr.decode()[-500:]
    assert (tmp_path / "r" / "report.html").exists() and server.requests
    assert all(not request["key"] for request in server.requests), "a local server is not sent a key"
    everything = written(tmp_path) + b"".join((played.stdout, played.stderr, report.stdout, report.stderr))
    assert MARK not in everything


def test_a_key_in_the_address_is_refused_and_not_repeated(tmp_path):
    for address in ("https://user:plantedQx7@api.example/v1", "https://api.example/v1?key=plantedQx7"):
        words = ("--run", "r", "--profile", "tiny", "--endpoint", address, "--name", "m")
        done = command("pipeline.evaluate", "run", *words, outputs=tmp_path)
        assert done.returncode == 2 and b"OPENAI_API_KEY" in done.stderr and b"Traceback" not in done.stderr
        assert MARK not in written(tmp_path) + done.stdout + done.stderr
    with pytest.raises(CustomerError) as refused:
        ChatEndpoint("m", "http://plantedQx7@localhost:8000/v1")
    assert MARK.decode() not in str(refused.value)


def test_a_missing_key_is_a_sentence(tmp_path):
    words = ("--run", "r", "--profile", "tiny", "--endpoint", "https://api.example.com/v1", "--name", "m")
    done = command("pipeline.evaluate", "run", *words, outputs=tmp_path, OPENAI_API_KEY="")
    assert done.returncode == 2 and b"set OPENAI_API_KEY" in done.stderr and b"Traceback" not in done.stderr


@pytest.mark.notebook
def test_an_executed_notebook_holds_no_key(tmp_path, monkeypatch):
    from pipeline.runs import execute

    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    given = {"RUN": str(tmp_path / "run"), "REPETITIONS": 1}
    execute(ROOT / "notebooks" / "00_meet_the_shop.ipynb", tmp_path / "copy.ipynb", given)
    assert (tmp_path / "run" / "summaries").exists() and MARK not in written(tmp_path)


def test_no_key_lies_in_the_repository():
    """Forms of real keys, in every file that git keeps."""
    import re

    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    key = re.compile(
        rb"\b(sk-(proj-)?[A-Za-z0-9]{24,}|hf_[A-Za-z0-9]{30,}|gh[pousr]_[A-Za-z0-9]{36}|AKIA[A-Z0-9]{16})\b"
        rb"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    )
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    found = [str(file) for file in files if file.is_file() and key.search(file.read_bytes())]
    assert not [name for name in found if not name.endswith(".pre-commit-config.yaml")]
