"""What a kill, a full disk or a jumping clock leaves is never taken for a whole checkpoint or folder."""

import argparse
import errno
import io
import json
import os
import re
import shutil
import struct
import zipfile
from pathlib import Path

import pytest

from envs.retail.files import append_line, read_lines, whole_file, whole_folder
from pipeline.callbacks import forget_steps
from pipeline.checkpoints import broken, ended, get_last_checkpoint, reached
from pipeline.troubles import clear_errors, disk_trouble


def safetensors(values: int = 4) -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [values], "data_offsets": [0, 4 * values]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4 * values)


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        out.writestr("optimizer/data.pkl", b"1234" * 20)
    return buffer.getvalue()


def checkpoint(output: Path, step: int, stopped: bool = False, **state) -> Path:
    folder = output / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(safetensors())
    (folder / "optimizer.pt").write_bytes(archive())
    control = {"TrainerControl": {"args": {"should_training_stop": stopped}}}
    whole = {
        "global_step": step,
        "max_steps": 40,
        "log_history": [{"step": step}],
        "stateful_callbacks": control,
    }
    (folder / "trainer_state.json").write_text(json.dumps(whole | state))
    return folder


DAMAGES = {
    "weights cut off": lambda folder: cut(folder / "adapter_model.safetensors"),
    "weights of zeros": lambda folder: (folder / "adapter_model.safetensors").write_bytes(bytes(40)),
    "weights missing": lambda folder: (folder / "adapter_model.safetensors").unlink(),
    "optimizer cut off": lambda folder: cut(folder / "optimizer.pt"),
    "optimizer damaged inside": lambda folder: spoil(folder / "optimizer.pt"),
    "optimizer garbage": lambda folder: (folder / "optimizer.pt").write_bytes(b"garbage" * 9),
    "state missing": lambda folder: (folder / "trainer_state.json").unlink(),
    "state cut off": lambda folder: cut(folder / "trainer_state.json"),
    "state empty": lambda folder: (folder / "trainer_state.json").write_bytes(b""),
}


def spoil(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"12341234", b"12\0\0\0\0\0\0", 1))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5])


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path, caplog, damage):
    before, newest = checkpoint(tmp_path, 9), checkpoint(tmp_path, 10)
    assert get_last_checkpoint(tmp_path) == str(newest) and not caplog.text
    damage(newest)
    assert broken(newest) and get_last_checkpoint(tmp_path) == str(before)
    assert f"{newest} is passed over" in caplog.text
    damage(before)
    assert get_last_checkpoint(tmp_path) is None


def test_the_last_checkpoint_is_that_of_the_last_step_whatever_the_dates_say(tmp_path):
    for step, date in ((9, 3_000_000_000), (10, 2_000_000_000), (100, 1_000_000_000)):
        os.utime(checkpoint(tmp_path, step), (date, date))
    (tmp_path / "checkpoint-best").mkdir()  # somebody's own copy
    assert get_last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-100")
    assert get_last_checkpoint(tmp_path / "nowhere") is None


def test_training_has_ended_where_its_last_step_or_its_patience_is_over(tmp_path):
    assert not ended(str(checkpoint(tmp_path, 10)))
    assert ended(str(checkpoint(tmp_path, 20, stopped=True)))
    last = checkpoint(tmp_path, 40, best_model_checkpoint=str(tmp_path / "checkpoint-20"))
    assert ended(str(last)) and reached(str(last)) == ([{"step": 40}], tmp_path / "checkpoint-20")
    moved = checkpoint(tmp_path, 30, best_model_checkpoint="/elsewhere/checkpoint-20")
    assert reached(str(moved))[1] == moved


def test_half_a_line_is_neither_read_nor_glued_to_the_next(tmp_path):
    file = tmp_path / "log.jsonl"
    append_line(file, {"step": 1})
    with file.open("a") as out:
        out.write('{"step": 2, "lo')
    append_line(file, {"step": 3})
    assert file.read_text().splitlines() == ['{"step": 1}', '{"step": 2, "lo', '{"step": 3}']


def test_a_resumed_run_logs_each_step_once_and_leaves_other_stages_alone(tmp_path):
    file = tmp_path / "metrics.jsonl"
    for stage, step in (("sft", 1), ("sft", 9), ("grpo", 1), ("grpo", 2), ("grpo", 3)):
        append_line(file, {"stage": stage, "step": step})
    with file.open("ab") as out:
        out.write(b'\xff garbage\n{"stage": "grpo", "st')
    forget_steps(file, "grpo", 2)
    lines = file.read_bytes().split(b"\n")
    assert [json.loads(line)["step"] for line in lines[:3]] == [1, 9, 1]
    assert lines[3:] == [b"\xff garbage", b""], "what is damaged stays for the report to count"
    forget_steps(tmp_path / "none.jsonl", "grpo", 2)


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "adapter"
    with pytest.raises(RuntimeError), whole_folder(target) as folder:
        (folder / "half").write_text("")
        raise RuntimeError
    assert not target.exists() and not list(tmp_path.iterdir())
    for words in ("old", "new"):
        with whole_folder(target) as folder:
            (folder / words).write_text(words)
            assert not (target / words).exists()
    assert [file.name for file in target.iterdir()] == ["new"]
    assert [file.name for file in tmp_path.iterdir()] == ["adapter"]


def test_what_a_killed_writer_leaves_matches_no_pattern(tmp_path):
    with whole_file(tmp_path / "settings.json") as out:
        out.write("{}")
        (left,) = tmp_path.iterdir()
        assert not list(tmp_path.glob("*.json")), left
    assert list(tmp_path.iterdir()) == [tmp_path / "settings.json"]
    assert next(read_lines(tmp_path / "settings.json")) == (1, {})


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a.bin"), "the disk is full.*the same command"),
        (OSError(errno.EFBIG, "File too large"), "the disk is full"),
        (OSError(errno.EROFS, "Read-only file system", "outputs/demo"), "outputs/demo.*TOOL_OUTPUTS"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "the disk is full"),
        (
            RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"),
            "the disk is full",
        ),
    ],
)
def test_a_disk_that_cannot_be_written_is_said_in_a_sentence(error, said, capsys):
    with pytest.raises(SystemExit) as stop, clear_errors(argparse.ArgumentParser()):
        raise error
    assert stop.value.code == 2
    assert re.search(said, " ".join(capsys.readouterr().err.split()))


def test_a_mistake_of_our_own_keeps_its_traceback():
    assert disk_trouble(KeyError("order")) == disk_trouble(FileNotFoundError(2, "none")) == ""
    with pytest.raises(KeyError), clear_errors(argparse.ArgumentParser(), ValueError):
        raise KeyError("order")


def test_a_folder_that_cannot_be_copied_for_want_of_room_is_no_mistake_of_ours(tmp_path):
    long = str(tmp_path / ("outputs/" + "run" * 60) / "adapter_model.safetensors")
    told = disk_trouble(shutil.Error([(long, f"{long}.new", f"[Errno 27] File too large: '{long}'")]))
    assert "the disk is full" in told and "File too large" in told
