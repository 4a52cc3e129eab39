"""Keys stay where they were given: planted ones are looked for in all that is written and printed."""

import re
import subprocess
from pathlib import Path

import pytest

from pipeline import evaluate_commands, report_page
from pipeline.runs import execute
from reliability.faults.chat_server import fails, says

ROOT = Path(__file__).parents[2]
PLANTED = {
    "HF_TOKEN": "hf_plantedQx7token",
    "OPENAI_API_KEY": "sk-plantedQx7openai",
    "JUPYTER_TOKEN": "plantedQx7jupyter",
    "WANDB_API_KEY": "plantedQx7wandb",
    "AWS_SECRET_ACCESS_KEY": "plantedQx7aws",
}
MARK = b"plantedQx7"


def written(folder: Path) -> bytes:
    """All that lies in a folder, names included."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return b"".join(str(file).encode() + file.read_bytes() for file in files)


@pytest.fixture
def outputs(tmp_path, monkeypatch) -> Path:
    """Where runs go, with planted keys all around."""
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TOOL_OUTPUTS", str(tmp_path))
    return tmp_path


def test_no_key_is_written_or_printed_by_an_evaluation_and_its_report(server, outputs, capfd, caplog):
    caplog.set_level(0)
    server.http.otherwise = says("How can I help?")
    server.script("How can I help?", fails(401, f"Incorrect API key provided: {PLANTED['OPENAI_API_KEY']}"))
    words = ["run", "--run", "r", "--profile", "tiny", "--test-tasks", "2", "--batch-size", "1"]
    words += ["--stage", "served", "--endpoint", server.url, "--name", "m"]
    words += ["--customer-model", "m", "--customer-url", server.url]
    assert evaluate_commands.main(words) == 0
    assert report_page.main(["r"]) == 0
    printed = "".join(capfd.readouterr()) + caplog.text
    assert (outputs / "r" / "report.html").exists() and "1 episodes broke off" in printed
    assert all(not request["key"] for request in server.requests), "a local server is not sent a key"
    assert MARK not in written(outputs) + printed.encode()


@pytest.mark.parametrize("secret", ["user:plantedQx7@api.example/v1", "api.example/v1?key=plantedQx7"])
def test_a_key_in_the_address_is_refused_and_not_repeated(outputs, capfd, secret):
    words = ["--run", "r", "--profile", "tiny", "--endpoint", f"https://{secret}", "--name", "m"]
    with pytest.raises(SystemExit) as stop:
        evaluate_commands.main(["run", *words])
    printed = "".join(capfd.readouterr())
    assert stop.value.code == 2 and "OPENAI_API_KEY" in printed
    assert MARK not in written(outputs) + printed.encode()


def test_a_missing_key_is_a_sentence(outputs, monkeypatch, capfd):
    monkeypatch.delenv("OPENAI_API_KEY")
    words = ["--run", "r", "--profile", "tiny", "--endpoint", "https://api.example.com/v1", "--name", "m"]
    with pytest.raises(SystemExit) as stop:
        evaluate_commands.main(["run", *words])
    assert stop.value.code == 2 and "set OPENAI_API_KEY" in capfd.readouterr().err


@pytest.mark.notebook
def test_an_executed_notebook_holds_no_key(outputs):
    given = {"RUN": "r", "REPETITIONS": 1}
    execute(ROOT / "notebooks" / "00_meet_the_shop.ipynb", outputs / "copy.ipynb", given)
    assert (outputs / "r" / "summaries").exists() and MARK not in written(outputs)


def test_no_key_lies_in_the_repository():
    """Forms of real keys, in every file that git keeps."""
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
