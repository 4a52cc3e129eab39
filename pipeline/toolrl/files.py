"""ToolRL's train.parquet and test.parquet into the same files in harmony, with an account of every row.

    summary = convert_folder("rlla_4k", "rlla_gpt", Options(several="drop"))
    print(summary)

The columns are those that came in (verl's), with `data_source` "rlla_gpt":

* `prompt`: chat messages, the tools in the developer message. They give `extra_info.input` to the letter with
  `pipeline.harmony_chat.chat_template()` as the tokenizer's template (verl: model.custom_chat_template);
  gpt-oss's own template quotes the arguments of calls in the history a second time.
* `reward_model.ground_truth`: the right answer in harmony, for `pipeline.toolrl.compute_score`.
* `extra_info`: index and split as before; instruction, input and output are now the developer message, the
  prompt as one text, and the right answer; besides `kind`, `calls`, `name_map` (JSON, changed names only).

A row that cannot be converted goes to rejects.jsonl with its file, row number, kind and reason, as does a row
that the options drop; `summary.json` counts both. Files appear whole or not at all.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from envs.retail.files import FileError, json_line, whole_file
from envs.retail.sources.rows import Reject
from pipeline.datasets import real_vocabulary
from pipeline.toolrl.account import Account, Summary
from pipeline.toolrl.convert import DEFAULT, Converted, Options, convert, fit
from pipeline.toolrl.rows import Row, Unconvertible

SPLITS = ("train", "test")
# What our texts hold of special tokens. To look for all thousand takes longer than counting a short text.
SPECIALS = frozenset(f"<|{name}|>" for name in ("start", "channel", "message", "end", "call", "return"))
DATA_SOURCE = "rlla_gpt"
REJECTS, SUMMARY = "rejects.jsonl", "summary.json"


def convert_folder(source: str | Path, target: str | Path, options: Options = DEFAULT) -> Summary:
    """Convert train.parquet and test.parquet, as far as they are there.

    Args:
        source: The folder with ToolRL's files.
        target: Where the converted ones, the rejects and the summary go.
        options: Several calls, long prompts, effort.
    """
    source, target = Path(source), Path(target)
    there = [split for split in SPLITS if (source / f"{split}.parquet").exists()]
    if not there:
        raise FileError(source, None, "no train.parquet and no test.parquet in this folder")
    if source.resolve() == target.resolve():
        raise FileError(target, None, "the output would overwrite the input; name another folder")
    count = _counter(options)
    read = {split: read_parquet(source / f"{split}.parquet") for split in there}
    accounts = {split: Account() for split in there}
    with whole_file(target / REJECTS) as rejects:
        for split, rows in read.items():
            found = list(converted_rows(_shown(rows, split), options, accounts[split], count))
            rejects.writelines(json_line(row.to_json()) for row in found if isinstance(row, Reject))
            write_parquet(target / f"{split}.parquet", [row for row in found if not isinstance(row, Reject)])
    missing = tuple(f"{split}.parquet" for split in SPLITS if split not in there)
    summary = Summary(accounts, options, missing)
    with whole_file(target / SUMMARY) as out:
        json.dump(summary.to_json(), out, indent=1, ensure_ascii=False)
    return summary


def _counter(options: Options) -> Callable[[str], int] | None:
    vocabulary = real_vocabulary()
    if vocabulary is None and options.long_prompts != "raise":
        raise ValueError(
            f"long_prompts={options.long_prompts!r} counts tokens with gpt-oss's vocabulary:"
            " pip install oss-harmony"
        )
    if vocabulary is None:
        return None
    return lambda text: len(vocabulary.encode(text, allowed_special=SPECIALS, disallowed_special=()))


def _shown(rows: list[dict[str, Any]], split: str) -> Iterable[dict[str, Any]]:
    from tqdm.auto import tqdm

    return tqdm(rows, desc=split, unit="row", leave=False)


def converted_rows(
    rows: Iterable[Mapping[str, Any]],
    options: Options = DEFAULT,
    account: Account | None = None,
    count: Callable[[str], int] | None = None,
) -> Iterator[dict[str, Any] | Reject]:
    """Each row in harmony, or why not; ToolRL's parquet rows or its JSON rows (instruction, input, output).

    Args:
        rows: The rows.
        options: Several calls, long prompts, effort.
        account: Where to count what became of them.
        count: How many tokens a text has; without it no length is looked at.
    """
    account = Account() if account is None else account
    for number, row in enumerate(rows):
        account.rows += 1
        try:
            converted, tokens = _converted(row, options, count)
        except Unconvertible as problem:
            account.rejects[problem.kind] += 1
            yield _reject(row, number, problem)
        else:
            account.take(converted, tokens)
            yield row_of(converted, row, number)


def _converted(
    row: Mapping[str, Any], options: Options, count: Callable[[str], int] | None
) -> tuple[Converted, tuple[int, int] | None]:
    converted = convert(Row.of(row), options)
    if not count:
        return converted, None
    converted, tokens = fit(converted, options, count)
    return converted, (tokens, count(converted.ground_truth))


def _reject(row: Mapping[str, Any], number: int, problem: Unconvertible) -> Reject:
    name, text = _extra(row).get("split") or "rows", json.dumps(row, ensure_ascii=False, default=str)
    return Reject(str(name), None, number, problem.kind, problem.reason, text)


def _extra(row: Mapping[str, Any]) -> Mapping[str, Any]:
    extra = row.get("extra_info")
    return extra if isinstance(extra, Mapping) else {}


def row_of(converted: Converted, row: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A converted row as it is written."""
    extra = {
        "index": number,
        **_extra(row),
        "instruction": converted.instructions,
        "input": converted.prompt,
        "output": converted.ground_truth,
        "kind": converted.kind,
        "calls": converted.calls,
        "name_map": json.dumps(converted.names, ensure_ascii=False),
    }
    return {
        "data_source": DATA_SOURCE,
        "prompt": converted.chat,
        "ability": row.get("ability") or "tool use",
        "reward_model": {"ground_truth": converted.ground_truth, "style": "rule"},
        "extra_info": extra,
    }


def read_parquet(path: str | Path) -> list[dict[str, Any]]:
    """All rows of a parquet file."""
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise FileError(path, None, f"cannot be read as parquet: {error}") from error


def write_parquet(path: str | Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as a whole file or not at all."""
    import pyarrow
    from pyarrow import parquet

    types = _types()
    try:
        columns = {name: pyarrow.array([row[name] for row in rows], type) for name, type in types.items()}
        extra = pyarrow.array([row["extra_info"] for row in rows])  # whatever the rows brought with them
    except pyarrow.ArrowException as error:
        raise FileError(path, None, f"rows do not fit into columns: {error}") from error
    with whole_file(path) as out:
        parquet.write_table(pyarrow.table({**columns, "extra_info": extra}), out.buffer)


def _types() -> dict[str, Any]:
    from pyarrow import list_, string, struct

    text = string()
    call = struct({"type": text, "function": struct({"name": text, "arguments": text})})
    message = {"role": text, "content": text, "thinking": text, "name": text, "tool_calls": list_(call)}
    return {
        "data_source": text,
        "prompt": list_(struct(message)),
        "ability": text,
        "reward_model": struct({"ground_truth": text, "style": text}),
    }
