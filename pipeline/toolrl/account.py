"""What became of ToolRL's rows: how many, of which kind, which were not written and why, how long they are.

    account.take(converted, tokens)       # while converting
    print(Summary({"train": account}, Options()))

Every row read is either written or counted among the rejects, by kind.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.toolrl.convert import Converted, Options

PROMPT_LIMIT, ANSWER_LIMIT = 2048, 1024  # tokens the public recipe allows
DROPPED = ("several calls", "too long")  # kinds of rejects that the options ask for


@dataclass(frozen=True)
class Lengths:
    """Tokens of many texts, and the share of those over a limit."""

    mean: float
    min: int
    max: int
    limit: int
    share_over: float

    @classmethod
    def of(cls, tokens: list[int], limit: int) -> "Lengths | None":
        """The lengths, None where nothing was counted."""
        if not tokens:
            return None
        over = sum(one > limit for one in tokens) / len(tokens)
        return cls(sum(tokens) / len(tokens), min(tokens), max(tokens), limit, over)

    def __str__(self) -> str:
        return f"{self.mean:,.1f} / {self.min:,} / {self.max:,}, over {self.limit:,}: {self.share_over:.1%}"


@dataclass
class Account:
    """What became of one file's rows."""

    rows: int = 0
    written: int = 0
    rejects: Counter[str] = field(default_factory=Counter)  # kind -> rows
    kinds: Counter[str] = field(default_factory=Counter)  # of the written rows
    calls: int = 0
    rows_with_several_calls: int = 0
    renamed_tools: int = 0
    truncated: int = 0
    unknown_types: Counter[str] = field(default_factory=Counter)  # words in declared types -> how often
    prompt_tokens: list[int] = field(default_factory=list)
    answer_tokens: list[int] = field(default_factory=list)

    def take(self, converted: Converted, tokens: tuple[int, int] | None) -> None:
        """Count a row that was converted."""
        self.written += 1
        self.kinds[converted.kind] += 1
        self.calls += converted.calls
        self.rows_with_several_calls += converted.calls > 1
        self.renamed_tools += len(converted.names)
        self.truncated += converted.truncated
        self.unknown_types.update(converted.unknown_types)
        if tokens:
            self.prompt_tokens.append(tokens[0])
            self.answer_tokens.append(tokens[1])

    @property
    def lengths(self) -> dict[str, Lengths | None]:
        """Tokens of prompts and answers; None where no vocabulary was there to count with."""
        return {
            "prompt": Lengths.of(self.prompt_tokens, PROMPT_LIMIT),
            "answer": Lengths.of(self.answer_tokens, ANSWER_LIMIT),
        }

    def to_json(self) -> dict[str, Any]:
        """Everything but the single lengths."""
        plain = {k: v for k, v in vars(self).items() if k not in ("prompt_tokens", "answer_tokens")}
        return plain | {name: found and asdict(found) for name, found in self.lengths.items()}

    def __str__(self) -> str:
        lines = [
            f"{self.rows:,} rows: {self.written:,} written, {sum(self.rejects.values()):,} not",
            f"  written: {_counted(self.kinds)}; {self.calls:,} calls, "
            f"{self.rows_with_several_calls:,} rows with several",
        ]
        if self.rejects:
            lines.append(f"  not written: {_counted(self.rejects)}")
        lines.append(f"  {self.renamed_tools:,} tool names mapped, {self.truncated:,} histories truncated")
        if self.unknown_types:
            lines.append(f"  types nobody could read, declared as any: {_counted(self.unknown_types)}")
        for name, found in self.lengths.items():
            shown = found or "not counted (pip install oss-harmony for gpt-oss's vocabulary)"
            lines.append(f"  {name} tokens, mean / min / max: {shown}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Summary:
    """What became of all rows."""

    accounts: Mapping[str, Account]  # split -> account
    options: Options
    missing: tuple[str, ...] = ()

    @property
    def rejected(self) -> int:
        """Rows that could not be converted; not those that the options drop."""
        found = sum((account.rejects for account in self.accounts.values()), Counter())
        return sum(rows for kind, rows in found.items() if kind not in DROPPED)

    def to_json(self) -> dict[str, Any]:
        """The summary file."""
        splits = {name: account.to_json() for name, account in self.accounts.items()}
        return {"options": asdict(self.options), "splits": splits, "missing": list(self.missing)}

    def __str__(self) -> str:
        lines = [f"{name}.parquet: {account}" for name, account in self.accounts.items()]
        return "\n".join([*lines, *(f"{name}: not there" for name in self.missing)])


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.most_common(8)) or "none"
