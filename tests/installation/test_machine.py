"""Looking at a machine: nvidia-smi's words, folders, a hub that answers, refuses or keeps silent."""

import http.server
import json
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.config import resolve
from pipeline.installation.hub import ask, find_weights, hub_cache
from pipeline.installation.machine import Gpu, find_gpus, find_torch, look, main_memory, parse_gpus

ROOT = Path(__file__).parents[2]
BNB = "unsloth/gpt-oss-20b-unsloth-bnb-4bit"


def test_nvidia_smis_answers_are_understood():
    lines = ("Tesla T4, 15360, 14910, 580.65.06, 7.5", "NVIDIA GB10, [N/A], [N/A], 580.95.05, 12.1", "")
    t4, gb10, old = parse_gpus("\n".join([*lines, "Old, 4096, 1024, 390.1"]))
    assert t4 == Gpu("Tesla T4", 15.0, 14910 / 1024, "580.65.06", (7, 5))
    assert gb10 == Gpu("NVIDIA GB10", None, None, "580.95.05", (12, 1))
    assert old.capability is None and (old.total, old.free) == (4.0, 1.0)


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    def write(script: str) -> None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    return write


def test_a_machine_without_nvidia_smi_or_with_a_broken_driver_has_no_gpu(nvidia_smi):
    assert find_gpus() == ((), "nvidia-smi is not installed")
    nvidia_smi("echo 'NVIDIA-SMI has failed because it could not reach the driver.'; exit 9")
    gpus, why = find_gpus()
    assert gpus == () and why.startswith("nvidia-smi fails: NVIDIA-SMI has failed because")
    for silent in ("exit 0", "echo 'No devices were found'"):
        nvidia_smi(silent)
        assert find_gpus() == ((), "nvidia-smi names none")


def test_an_old_driver_that_knows_no_compute_capability_still_names_its_gpu(nvidia_smi):
    nvidia_smi('case "$1" in *compute_cap*) exit 2;; esac; echo "Tesla T4, 15360, 15000, 450.80"')
    (gpu,), why = find_gpus()
    assert (gpu.name, gpu.capability, why) == ("Tesla T4", None, "")


def test_torch_is_told_from_its_files_without_being_imported():
    code = "import sys; from pipeline.installation import machine; machine.find_torch(gpu=False)"
    subprocess.run([sys.executable, "-c", f"{code}; assert 'torch' not in sys.modules"], cwd=ROOT, check=True)
    torch = find_torch(gpu=False)
    if find_spec("torch") is None:
        assert torch is None
    else:
        assert torch.version == metadata.version("torch").split("+")[0] and torch.sees_gpu is False


@contextmanager
def served(status: int):
    """A hub on this machine that gives one answer to everything and keeps what it was asked."""
    asked = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            """Nothing on stderr."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_a_hub_that_gives_out_the_model_is_reachable_and_one_that_refuses_is_not():
    with served(200) as (address, asked):
        assert ask(BNB, {"HF_ENDPOINT": f"{address}/"}).state == "reachable"
        assert asked == [f"/{BNB}/resolve/main/config.json"]
    with served(403) as (address, _):
        hub = ask(BNB, {"HF_ENDPOINT": address})
        assert (hub.state, hub.detail) == ("unreachable", f"{address} answers 403 Forbidden")


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_a_machine_told_to_be_offline_asks_nobody(name):
    with served(200) as (address, asked):
        hub = ask(BNB, {"HF_ENDPOINT": address, name: "1"})
        assert (hub.state, hub.detail, asked) == ("off", f"off: {name}=1", [])
        assert ask(BNB, {"HF_ENDPOINT": address, name: "0"}).state == "reachable"


def test_a_hub_that_keeps_silent_or_is_not_there_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hub = ask(BNB, {"HF_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}"}, seconds=0.2)
        assert hub.state == "unreachable"
        closed = silent.getsockname()[1]
    assert "is not reached" in ask(BNB, {"HF_ENDPOINT": f"http://127.0.0.1:{closed}"}).detail
    assert ask(BNB, {"HF_ENDPOINT": "no address"}).state == "unreachable"


def test_a_look_up_of_a_name_that_never_ends_is_given_up(monkeypatch):
    """urllib's time limit does not cover it."""
    never = threading.Event()
    monkeypatch.setattr("pipeline.installation.hub._head", lambda *_: never.wait())
    hub = ask(BNB, {"HF_ENDPOINT": "http://nowhere"}, seconds=0.1)
    never.set()
    assert hub.detail == "http://nowhere does not answer within 0.1 s"


def test_weights_count_when_every_file_of_them_is_in_the_cache(tmp_path):
    config = resolve("gpu24", environ={})
    assert find_weights(config, tmp_path).source == BNB
    snapshot = tmp_path / f"models--{BNB.replace('/', '--')}" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    (snapshot / "one.safetensors").touch()
    assert not find_weights(config, tmp_path).here, "a download that was broken off"
    (snapshot / "two.safetensors").touch()
    assert find_weights(config, tmp_path).here


def test_a_folder_needs_no_cache_and_a_wrong_one_is_a_problem(tmp_path):
    assert find_weights(resolve("tiny", environ={}), tmp_path).here
    wrong = find_weights(resolve("gpu24", environ={}, model=str(tmp_path)), tmp_path)
    assert not wrong.here and "config.json" in wrong.problem


def test_the_hubs_own_variables_say_where_its_cache_is():
    assert hub_cache({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}) == Path("/a")
    assert hub_cache({"HF_HOME": "/b"}) == Path("/b/hub")
    assert hub_cache({"XDG_CACHE_HOME": "/c"}) == Path("/c/huggingface/hub")
    assert hub_cache({}) == Path("~/.cache/huggingface/hub").expanduser()


def test_sizes_make_sense_and_the_hub_is_left_alone_where_no_gpu_could_use_it(nvidia_smi, tmp_path):
    memory, free = main_memory()
    assert 0 < free <= memory
    with served(200) as (address, asked):
        configs = {"gpu24": resolve("gpu24", environ={})}
        environ = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path)}
        assert look(configs, ask_hub=False, environ=environ).hub.state == "not asked" and asked == []
        facts = look(configs, environ=environ)
        assert facts.hub.state == "reachable" and facts.disk_free > 0 and not facts.weights["gpu24"].here


def test_the_systems_own_python_is_enough_and_says_what_to_do():
    """-S leaves out all that is installed: as right after a clone."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", "pipeline.installation.check"],
        cwd=ROOT,
        env={"PATH": "/nowhere", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert "profile tiny   not yet: not installed: torch" in done.stdout and "make setup" in done.stdout
    assert "none: nvidia-smi is not installed" in done.stdout and "off: HF_HUB_OFFLINE=1" in done.stdout


def test_a_wrong_setting_in_the_environment_is_one_sentence(monkeypatch, capsys):
    from pipeline.installation.check import main

    monkeypatch.setenv("GPTOSS_LORA_RNK", "3")
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2 and "did you mean 'lora_rank'" in capsys.readouterr().err
