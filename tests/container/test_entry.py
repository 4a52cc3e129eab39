"""What a container starts, shown with stand-ins for the programs, and when it is called healthy."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pipeline import chain

ROOT = Path(__file__).parents[2]
STAND_IN = f"""#!{sys.executable} -IS
import json, os, sys
names = ("CUDA_VISIBLE_DEVICES", "UNSLOTH_FORCE_CPU", "JUPYTER_TOKEN")
told = {{name: os.environ.get(name) for name in names}}
print(json.dumps([[os.path.basename(sys.argv[0]), *sys.argv[1:]], os.getcwd(), os.getpid(), told]))
"""
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


@dataclass
class Started:
    """A program that the entry script started: its words, folder, process and environment."""

    words: list[str]
    folder: Path
    same_process: bool
    environment: dict[str, str | None]
    looked_after_as: str


@pytest.fixture
def project(tmp_path) -> Path:
    """A plain folder with what the script stands on, and programs that tell their words."""
    folder = tmp_path / "project"
    for name in (
        "container/entry.sh",
        *(f"notebooks/{path.name}" for path in ROOT.glob("notebooks/0*.ipynb")),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "outputs").mkdir()
    (folder / "bin").mkdir()
    for program in ("python", "jupyter", "make", "mine"):
        (folder / "bin" / program).write_text(STAND_IN)
        (folder / "bin" / program).chmod(0o755)
    return folder


def enter(project: Path, *words: str, **environment: str) -> Started:
    process = _start(project, words, environment)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    said, folder, pid, told = json.loads(out)
    kept = (project / "state").read_text().strip()
    return Started(said, Path(folder), pid == process.pid, told, kept)


def refused(project: Path, *words: str, **environment: str) -> str:
    process = _start(project, words, environment)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 2 and not out
    return error


def _start(project: Path, words: tuple[str, ...], environment: dict[str, str]) -> subprocess.Popen[str]:
    path = f"{project / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin"
    return subprocess.Popen(
        ["bash", str(project / "container" / "entry.sh"), *words],
        cwd=project.parent,
        env={"PATH": path, "STATE_FILE": str(project / "state"), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def chained(started: Started, monkeypatch) -> tuple[str, list[str], dict]:
    """What pipeline.chain makes of its words: the run, the notebooks' numbers, the parameters."""
    assert started.words[:3] == ["python", "-m", "pipeline.chain"] and started.looked_after_as == "run"
    called = []
    monkeypatch.chdir(started.folder)
    monkeypatch.setattr(chain, "run_chain", lambda *what: called.append(what) or (Path("page"), True))
    assert chain.main(started.words[3:]) == 0
    (notebooks, run, parameters) = called[0]
    return run, [path.name[:2] for path in notebooks], parameters


def test_without_words_it_is_jupyterlab_in_the_project(project):
    started = enter(project)
    assert started.words[:2] == ["jupyter", "lab"] and started.folder == project
    assert {"--ip=0.0.0.0", "--port=8888", "--no-browser"} <= set(started.words)
    assert started.same_process and started.looked_after_as == "lab"
    assert started.environment["JUPYTER_TOKEN"] is None, "then Jupyter makes one"


def test_jupyter_gets_the_given_token_by_the_environment_and_words_of_its_own(project):
    started = enter(project, "lab", "--ServerApp.base_url=/shop", JUPYTER_TOKEN="secret", PORT="9999")
    assert started.environment["JUPYTER_TOKEN"] == "secret" and not any("secret" in w for w in started.words)
    assert started.words[-1] == "--ServerApp.base_url=/shop" and "--port=9999" in started.words


@pytest.mark.parametrize("token", ["", " "])
def test_an_empty_token_is_refused(project, token):
    assert "JUPYTER_TOKEN is empty" in refused(project, "lab", JUPYTER_TOKEN=token)
    assert "JUPYTER_TOKEN is empty" in refused(project, JUPYTER_TOKEN=token)


def test_a_token_may_lie_in_a_file_that_holds_one(project, tmp_path):
    (tmp_path / "token").write_text("\n")
    assert "holds no token" in refused(project, JUPYTER_TOKEN_FILE=str(tmp_path / "token"))
    (tmp_path / "token").write_text("secret\n")
    assert enter(project, JUPYTER_TOKEN_FILE=str(tmp_path / "token")).words[:2] == ["jupyter", "lab"]


@pytest.mark.parametrize("word", ["--IdentityProvider.token=", "--ServerApp.token", "--ServerApp.password="])
def test_words_cannot_take_the_token_away(project, word):
    assert "the token is given with" in refused(project, "lab", word, JUPYTER_TOKEN="secret")


def test_train_runs_the_chain_with_the_profile_of_the_spark(project, monkeypatch):
    run, notebooks, parameters = chained(enter(project, "train"), monkeypatch)
    assert (run, notebooks, parameters) == ("train", ["01", "02", "03", "04", "05"], {"PROFILE": "spark"})


def test_train_passes_parameters_on_and_the_later_word_counts(project, monkeypatch):
    words = [
        "train",
        "--run",
        "mine",
        "-p",
        "SEED",
        "7",
        "-p",
        "PROFILE",
        "gpu80",
        "-p",
        "SETTINGS",
        '{"a": 1}',
    ]
    started = enter(project, *words, PROFILE="gpu24")
    run, _, parameters = chained(started, monkeypatch)
    assert run == "mine" and parameters == {"PROFILE": "gpu80", "SEED": 7, "SETTINGS": {"a": 1}}
    assert started.same_process, "or the signal of `docker stop` would not reach it"


def test_train_runs_the_notebooks_that_are_named(project, monkeypatch):
    started = enter(project, "train", "-p", "SEED", "7", "notebooks/02_sft_warmup.ipynb")
    assert chained(started, monkeypatch)[1:] == (["02"], {"PROFILE": "spark", "SEED": 7})
    without_a_model = enter(project, "train", "notebooks/01_prepare_the_tasks.ipynb")
    assert chained(without_a_model, monkeypatch)[1:] == (["01"], {}), "it has no such parameter"


def test_demo_rehearses_on_the_cpu(project, monkeypatch):
    started = enter(project, "demo")
    run, notebooks, parameters = chained(started, monkeypatch)
    assert (run, notebooks, parameters) == ("demo", ["00", "01", "02", "03", "04", "05"], {"PROFILE": "tiny"})
    assert (
        started.environment["CUDA_VISIBLE_DEVICES"] == "" and started.environment["UNSLOTH_FORCE_CPU"] == "1"
    )


def test_tests_checks_and_other_commands(project):
    assert enter(project, "test", "-k", "a or b").words == ["python", "-m", "pytest", "-k", "a or b"]
    assert enter(project, "check").words[-2:] == ["check", "ARGS="]
    mine = enter(project, "mine", "two words", "")
    assert mine.words == ["mine", "two words", ""] and mine.looked_after_as == "command"
    assert mine.folder == project.parent, "in the folder it was called in"
    grpo = enter(project, "python", "-m", "pipeline.grpo", "--run", "mine")
    assert grpo.words == ["python", "-m", "pipeline.grpo", "--run", "mine"] and grpo.looked_after_as == "run"


def test_what_cannot_be_meant_is_refused(project):
    assert "say first what to do" in refused(project, "-p", "SEED", "7")
    (project / "outputs").rmdir()
    assert "cannot write to outputs" in refused(project, "train")


# container/healthy.py


@pytest.fixture
def health(tmp_path, monkeypatch, capsys) -> Callable[..., tuple[int, str]]:
    """Calls container/healthy.py as a container of some kind would."""
    spec = importlib.util.spec_from_file_location("healthy", ROOT / "container" / "healthy.py")
    healthy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(healthy)
    for cache in ("HF_HOME", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"):
        monkeypatch.delenv(cache, raising=False)  # other tests import what sets them
    monkeypatch.setenv("STATE_FILE", str(tmp_path / "state"))
    monkeypatch.setenv("TOOL_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setattr(healthy, "PROJECT", tmp_path)

    def call(kind: str, **environment: str) -> tuple[int, str]:
        (tmp_path / "state").write_text(kind + "\n")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return healthy.main(), capsys.readouterr().out

    return call


def test_a_run_is_healthy_while_it_writes(tmp_path, health):
    assert health("run")[0] == 1
    step = tmp_path / "outputs" / "train" / "metrics.jsonl"
    step.parent.mkdir(parents=True)
    step.write_text("{}")
    assert health("run") == (0, "run: fine\n")
    assert health("run", TOOL_OUTPUTS="")[0] == 0, "set to nothing, it is as if it were not set"
    hours_ago = step.stat().st_mtime - 2 * 3600
    os.utime(step, (hours_ago, hours_ago))
    code, told = health("run")
    assert code == 1 and "for 60 minutes" in told
    assert health("run", HEALTH_MINUTES="180")[0] == 0
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "part-of-a-model").touch()
    assert health("run", HEALTH_MINUTES="60", HF_HOME=str(tmp_path / "cache"))[0] == 0, "it downloads"


@pytest.mark.parametrize(("answer", "code"), [(200, 0), (403, 0), (500, 1)])
def test_jupyterlab_is_healthy_when_it_answers(health, answer, code):
    class Jupyter(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(answer if self.path == "/api" else 500)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Jupyter)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        assert health("lab", PORT=str(server.server_port))[0] == code
    finally:
        server.shutdown()
        server.server_close()
    assert "does not answer" in health("lab")[1], "it is gone"


def test_other_commands_are_healthy_and_nothing_is_not(health):
    assert health("command")[0] == 0
    assert health("")[0] == 1
