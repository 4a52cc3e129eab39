"""Files from elsewhere: good rows come in unchanged, each bad one is named, nothing is executed or lost."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.retail.__main__ import main
from envs.retail.importers import Reject, custom_tasks
from envs.retail.tasks import Action, Task, read_tasks, write_tasks


def task_lines(count: int) -> list[str]:
    return [
        json.dumps(Task(f"t{n}", f"Où est #{n}?", (Action("think", {"thought": "€"}),)).to_json())
        for n in range(count)
    ]


def parted(rows) -> tuple[list[str], list[Reject]]:
    rows = list(rows)
    return [r.id for r in rows if not isinstance(r, Reject)], [r for r in rows if isinstance(r, Reject)]


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# ---- any file ----

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
actions = st.builds(Action, texts, st.dictionaries(texts, values, max_size=3))
tasks = st.builds(
    Task,
    id=texts.filter(bool),
    query=texts,
    gold_actions=st.lists(actions, max_size=3).map(tuple),
    gold_final=values,
    customer=texts,
    facts=st.dictionaries(texts, values, max_size=3),
    outputs=st.lists(texts, max_size=2).map(tuple),
    level=st.integers(0, 5),
    split=texts,
    extra=st.dictionaries(texts.map("x-{}".format), values, max_size=2),
)


@settings(max_examples=40)
@given(st.lists(tasks, max_size=3), st.sampled_from([".jsonl", ".jsonl.gz"]))
def test_tasks_survive_writing_reading_and_importing(tmp_path_factory, written, suffix):
    path = tmp_path_factory.mktemp("round") / f"tasks{suffix}"
    write_tasks(path, written)
    assert read_tasks(path) == written
    if written:
        assert list(custom_tasks(path)) == written
        as_list = path.with_name("list.json")
        as_list.write_text(json.dumps([task.to_json() for task in written], indent=1))
        assert list(custom_tasks(as_list)) == written


BAD_LINES = {
    '{"query": "x", "gold_actions": [': "not JSON",
    "[1, 2]": "wrong shape",
    '{"query": 3, "gold_actions": []}': "wrong shape",
    '{"query": "x"}': "wrong shape",
    '{"query": "x", "gold_actions": [{"name": "a", "arguments": []}]}': "wrong shape",
    '{"query": "x", "gold_actions": [], "level": true}': "wrong shape",
    '{"query": "x", "gold_actions": [], "query": "y"}': "not JSON",
    '{"query": "x", "gold_actions": [], "gold_final": NaN}': "not JSON",
    '{"query": "x", "gold_actions": [], "gold_final": 1e999}': "not JSON",
    '{"query": "\\ud83d", "gold_actions": []}': "not UTF-8",
    '{"query": "x", "gold_actions": []} and more': "not JSON",
    "[" * 100_000: "not JSON",
    "null": "wrong shape",
}


@given(
    st.permutations([*BAD_LINES, *task_lines(6)]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.booleans(),
)
def test_bad_lines_are_named_and_the_others_kept(tmp_path_factory, mixed, newline, mark, zipped):
    while mixed[0][0] == "[":  # a file that begins with [ is a list, see below
        mixed = mixed[1:]
    path = tmp_path_factory.mktemp("mixed") / "mine.jsonl"
    data = ("\ufeff" * mark + newline.join(mixed)).encode()
    path.write_bytes(gzip.compress(data) if zipped else data)
    kept, rejected = parted(custom_tasks(path))
    assert kept == [json.loads(line)["id"] for line in mixed if line not in BAD_LINES]
    numbers = {number: line for number, line in enumerate(mixed, 1) if line in BAD_LINES}
    assert [reject.line for reject in rejected] == list(numbers)
    for reject in rejected:
        assert reject.kind in (BAD_LINES[numbers[reject.line]], "cut off") and reject.reason
        assert len(reject.row) < 300


@given(st.data())
def test_a_file_cut_anywhere_keeps_what_is_whole(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("cut")
    as_lines = "\n".join(task_lines(5)) + "\n"
    as_list = "[" + ",\n".join(task_lines(5)) + "]"
    whole, name = data.draw(st.sampled_from([(as_lines, "t.jsonl"), (as_list, "t.json")]))
    content = whole.encode()
    end = data.draw(st.integers(2, len(content) - 2))
    (folder / name).write_bytes(content[:end])
    kept, rejected = parted(custom_tasks(folder / name))
    complete = content[:end].count(b'"split": ""}')
    assert kept == [f"t{n}" for n in range(complete)]
    ends_between = name == "t.jsonl" and content[end - 1 : end + 1] in (b"}\n", b"\n{")
    assert len(rejected) == (0 if ends_between else 1)
    assert all(reject.kind in ("cut off", "not UTF-8") for reject in rejected)


@given(st.binary(max_size=300), st.integers(0, 3))
def test_any_bytes_among_the_lines_cost_only_themselves(tmp_path_factory, noise, place):
    path = tmp_path_factory.mktemp("noise") / "t.jsonl"
    rows = [line.encode() for line in task_lines(4)]
    path.write_bytes(b"\n".join([rows[0], *rows[1 : place + 1], noise, *rows[place + 1 :]]))
    kept, rejected = parted(custom_tasks(path))
    assert [name for name in kept if name.startswith("t") and "/" not in name] == ["t0", "t1", "t2", "t3"]
    assert len(rejected) <= noise.count(b"\n") + 1


@pytest.mark.parametrize(
    "broken", ['{"id": "b", "query": "x" "gold_actions": []}', '{"id": "b", "query": "x, ', '{"id": ']
)
def test_a_broken_element_of_a_list_costs_itself_only(tmp_path, broken):
    path = tmp_path / "t.json"
    rows = task_lines(4)
    path.write_text("[\n" + ",\n".join([rows[0], broken, *rows[1:]]) + "\n]")
    kept, rejected = parted(custom_tasks(path))
    assert kept == ["t0", "t1", "t2", "t3"]
    assert [(reject.line, reject.index, reject.kind) for reject in rejected] == [(3, 1, "not JSON")]


def test_a_row_too_long_is_not_held_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("envs.retail.sources.rows.ROW_LIMIT", 10_000)
    monkeypatch.setattr("envs.retail.sources.rows.PIECE", 1_000)
    long = json.dumps({"id": "long", "query": "x" * 50_000, "gold_actions": []})
    rows = [task_lines(3)[0], long, *task_lines(3)[1:]]
    for name, text in (("t.jsonl", "\n".join(rows)), ("t.json", "[" + ", ".join(rows) + "]")):
        (tmp_path / name).write_text(text)
        kept, rejected = parted(custom_tasks(tmp_path / name))
        assert kept == ["t0", "t1", "t2"]
        assert [reject.kind for reject in rejected] == ["too long"] and len(rejected[0].row) < 300


@pytest.mark.slow
def test_a_hundred_thousand_lines_with_every_thousandth_bad(tmp_path, capsys):
    good = '{"query": "x", "gold_actions": []}\n'
    (tmp_path / "in.jsonl").write_text((good * 999 + "{oops}\n") * 100)
    argv = [
        "import",
        "--format",
        "custom",
        "--in",
        str(tmp_path / "in.jsonl"),
        "--out",
        str(tmp_path / "out.jsonl"),
    ]
    assert main(argv) == 1
    rejected = lines(tmp_path / "out.rejects.jsonl")
    assert [reject["line"] for reject in rejected] == list(range(1000, 100_001, 1000))
    assert sum(1 for _ in (tmp_path / "out.jsonl").open()) == 99_900
    printed = capsys.readouterr().out
    assert "99,900  tasks" in printed and "100  rejected: not JSON" in printed


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing.jsonl", None, "No such file"),
        ("empty.jsonl", b"", "holds no rows"),
        ("t.jsonl.gz", b"\x1f\x8b\x08\x00garbage", "cannot be read"),
        ("utf16.jsonl", "{}".encode("utf-16"), "UTF-16"),
        ("t.parquet", b"PAR1....", "Parquet"),
    ],
)
def test_what_cannot_be_read_at_all_is_exit_2_and_writes_nothing(tmp_path, capsys, name, content, reason):
    source, out = tmp_path / name, tmp_path / "out"
    if content is not None:
        source.write_bytes(content)
    assert main(["import", "--format", "custom", "--in", str(source), "--out", str(out / "o.jsonl")]) == 2
    message = capsys.readouterr().err
    assert name in message and reason in message
    assert not out.exists() or not list(out.iterdir())


def test_a_gzip_file_cut_in_the_middle_keeps_its_first_rows(tmp_path):
    data = gzip.compress("\n".join(task_lines(20_000)).encode())
    path = tmp_path / "t.jsonl.gz"
    path.write_bytes(data[: len(data) // 2])
    kept, rejected = parted(custom_tasks(path))
    assert kept == [f"t{n}" for n in range(len(kept))] and len(kept) > 1000
    assert [(reject.line, reject.kind) for reject in rejected] == [(len(kept) + 1, "cut off")]


def test_the_output_may_not_be_the_input(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(task_lines(1)[0])
    with pytest.raises(SystemExit):
        main(["import", "--format", "custom", "--in", str(path), "--out", str(path)])
    assert path.read_text() == task_lines(1)[0]
