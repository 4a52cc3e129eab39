"""Parquet in, parquet out: the files, the summary, the command line."""

import json

import pytest
from rlla_samples import samples

pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow, which comes with datasets")
from pyarrow import parquet  # noqa: E402

from envs.retail.files import FileError  # noqa: E402
from pipeline.toolrl import files as toolrl_files  # noqa: E402
from pipeline.toolrl.__main__ import main  # noqa: E402
from pipeline.toolrl.convert import Options  # noqa: E402
from pipeline.toolrl.files import convert_folder, read_parquet, write_parquet  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    """A folder with ToolRL's two files."""
    source = tmp_path / "rlla"
    source.mkdir()
    for split, count, seed in (("train", 60, 1), ("test", 20, 2)):
        table = pyarrow.Table.from_pylist([sample.row for sample in samples(count, seed, faults=0.2)])
        parquet.write_table(table, source / f"{split}.parquet")
    return source


def convert(folder, *options):
    return main(["convert", "--input-dir", str(folder), "--output-dir", str(folder.parent / "out"), *options])


def test_every_row_is_in_one_of_the_files(folder, capsys):
    assert convert(folder) == 0
    out = folder.parent / "out"
    found = json.loads((out / "summary.json").read_text())
    rejects = [json.loads(line) for line in (out / "rejects.jsonl").read_text().splitlines()]
    for split, count in (("train", 60), ("test", 20)):
        rows, account = read_parquet(out / f"{split}.parquet"), found["splits"][split]
        assert account["rows"] == count == len(rows) + sum(account["rejects"].values())
        assert account["written"] == len(rows)
        assert {row["data_source"] for row in rows} == {"rlla_gpt"}
        assert len({row["extra_info"]["index"] for row in rows}) == len(rows)
    assert len(rejects) == 80 - sum(found["splits"][split]["written"] for split in ("train", "test"))
    assert all(reject["kind"] and reject["reason"] and reject["row"] for reject in rejects)
    printed = capsys.readouterr().out
    assert "train.parquet: 60 rows" in printed and "rejects.jsonl says why" in printed


def test_lengths_are_those_of_the_real_vocabulary(folder):
    pytest.importorskip("openai_harmony", reason="needs oss-harmony (requirements-dev.txt)")
    from pipeline.datasets import real_vocabulary, token_counter

    count, account = (
        token_counter(real_vocabulary()),
        convert_folder(folder, folder.parent / "out").accounts["train"],
    )
    rows = read_parquet(folder.parent / "out" / "train.parquet")
    for name, column in (("prompt", "input"), ("answer", "output")):
        tokens = [count(row["extra_info"][column]) for row in rows]
        lengths = account.lengths[name]
        assert (lengths.min, lengths.max) == (min(tokens), max(tokens))
        assert lengths.mean == pytest.approx(sum(tokens) / len(tokens))
        assert lengths.share_over == sum(one > lengths.limit for one in tokens) / len(tokens)
    assert (account.lengths["prompt"].limit, account.lengths["answer"].limit) == (2048, 1024)


def test_without_a_vocabulary_lengths_are_left_out_and_limits_refused(folder, monkeypatch, capsys):
    monkeypatch.setattr(toolrl_files, "real_vocabulary", lambda: None)
    assert convert(folder) == 0
    assert "not counted (pip install oss-harmony" in capsys.readouterr().out
    assert convert(folder, "--long-prompts", "drop") == 2
    assert "pip install oss-harmony" in capsys.readouterr().err


def test_the_options_reach_the_rows(folder):
    pytest.importorskip("openai_harmony", reason="needs oss-harmony (requirements-dev.txt)")
    out = folder.parent / "out"
    assert convert(folder, "--several", "drop", "--effort", "low") == 0
    assert all(row["extra_info"]["calls"] < 2 for row in read_parquet(out / "train.parquet"))
    assert "several calls" in (out / "rejects.jsonl").read_text()
    assert "Reasoning: low" in read_parquet(out / "train.parquet")[0]["extra_info"]["input"]
    assert convert(folder, "--several", "first", "--long-prompts", "drop", "--limit", "400") == 0
    assert max(row["extra_info"]["calls"] for row in read_parquet(out / "train.parquet")) == 1
    found = json.loads((out / "summary.json").read_text())
    assert (
        found["splits"]["train"]["rejects"]["too long"] and found["splits"]["train"]["prompt"]["max"] <= 400
    )


def test_strict_says_so_if_a_row_was_rejected_but_not_if_it_was_dropped(folder):
    assert convert(folder, "--strict") == 1
    rows = [sample.row for sample in samples(30, 3, faults=0)]
    for split in ("train", "test"):
        parquet.write_table(pyarrow.Table.from_pylist(rows), folder / f"{split}.parquet")
    assert convert(folder, "--strict", "--several", "drop") == 0


def test_one_file_is_enough_and_none_is_an_error(folder, capsys):
    (folder / "train.parquet").unlink()
    assert convert(folder) == 0
    assert "train.parquet: not there" in capsys.readouterr().out
    (folder / "test.parquet").unlink()
    assert convert(folder) == 2
    assert "no train.parquet and no test.parquet" in capsys.readouterr().err


def test_a_broken_file_is_named_and_nothing_is_written(folder, capsys):
    (folder / "test.parquet").write_bytes(b"PAR1 and no more")
    assert convert(folder) == 2
    assert "test.parquet: cannot be read as parquet" in capsys.readouterr().err
    assert not (folder.parent / "out").exists()


def test_the_input_is_not_overwritten(folder):
    before = (folder / "train.parquet").read_bytes()
    with pytest.raises(FileError, match="name another folder"):
        convert_folder(folder, folder)
    assert (folder / "train.parquet").read_bytes() == before


def test_a_write_that_fails_leaves_the_old_file(folder, monkeypatch):
    out = folder.parent / "out"
    convert_folder(folder, out)
    before = (out / "train.parquet").read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(parquet, "write_table", fail)
    with pytest.raises(OSError, match="disk full"):
        convert_folder(folder, out, Options(several="drop"))
    assert (out / "train.parquet").read_bytes() == before
    assert sorted(path.name for path in out.iterdir()) == [
        "rejects.jsonl",
        "summary.json",
        "test.parquet",
        "train.parquet",
    ]


def test_a_file_may_be_empty(tmp_path):
    write_parquet(tmp_path / "none.parquet", [])
    assert read_parquet(tmp_path / "none.parquet") == []
