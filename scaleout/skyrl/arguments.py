"""Argument files for SkyRL: one `key=value` a line, with comments, read with the types SkyRL means.

    arguments = read_arguments("scaleout/skyrl/gsm8k_gpt_oss.args", ["trainer.epochs=1"])
    arguments.overrides                    # ["trainer.epochs=1", …]: what SkyRL's command line gets
    arguments["trainer.flash_attn"]        # False; where nothing is set, SkyRL's default

A file needs no quoting, so no shell can take a space out of `{reasoning_effort: low}`. SkyRL checks names
but not types: `trainer.flash_attn=flase` is a text, and a text is true. `keys.json` holds each name of SkyRL
0.3.0 with its type and default, written by `python -m scaleout.skyrl keys` where SkyRL is installed.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from envs.retail.files import FileError, read_json

KEYS = Path(__file__).parent / "keys.json"
Keys = Mapping[str, tuple[str, Any]]


@dataclass(frozen=True)
class Arguments:
    """What a file and a command line say together; the last word on a key counts."""

    texts: Mapping[str, str]
    source: str = "command line"

    @property
    def overrides(self) -> list[str]:
        """The arguments as SkyRL takes them."""
        return [f"{key}={text}" for key, text in self.texts.items()]

    def __contains__(self, key: str) -> bool:
        return key in self.texts

    def __getitem__(self, key: str) -> Any:
        """The value of a key, else SkyRL's default, else None."""
        return value_of(self.texts[key]) if key in self.texts else known_keys().get(key, ("", None))[1]

    def under(self, start: str) -> list[str]:
        """The keys that are set below another."""
        return [key for key in self.texts if key.startswith(f"{start}.")]


@cache
def known_keys() -> Keys:
    """Each of SkyRL's keys with its type and default."""
    return {key: (kind, default) for key, (kind, default) in read_json(KEYS).items()}


def read_arguments(path: str | Path, more: Sequence[str] = ()) -> Arguments:
    """The arguments of a file and, after them, of the command line."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(path, None, f"cannot be read: {error}") from error
    texts: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            key, text = _split(line, path, number)
            if key in texts:
                raise FileError(path, number, f"{key} is set twice; keep one line")
            texts[key] = text
    for word in more:
        key, text = _split(word, "command line", None)
        texts.pop(key, None)
        texts[key] = text
    return Arguments(texts, str(path))


def _split(line: str, path: str | Path, number: int | None) -> tuple[str, str]:
    key, equals, text = line.partition("=")
    key = key.strip()
    if not equals or not key or " " in key:
        raise FileError(path, number, f"{line.strip()!r:.80} is no key=value")
    return key, text.strip()


def value_of(text: str) -> Any:
    """The value that SkyRL will read: YAML, with 1e-6 a number."""
    import yaml

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{text!r:.80} is no YAML value: {str(error).splitlines()[0]}") from error
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


_FITS = {
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "str": lambda value: isinstance(value, str | int | float),
    "list": lambda value: isinstance(value, list),
    "dict": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}


def fits(value: Any, kind: str) -> bool:
    """Whether a value has a type as `typed_keys` names it: "int", "str or null"."""
    return any(_FITS.get(one, lambda _: True)(value) for one in kind.split(" or "))


def typed_keys(config: type, prefix: str = "") -> dict[str, tuple[str, Any]]:
    """The keys of a configuration of dataclasses, each with its type and default."""
    found: dict[str, tuple[str, Any]] = {}
    hints = typing.get_type_hints(config)
    for field in dataclasses.fields(config):
        key, kinds = f"{prefix}{field.name}", _parts(hints[field.name])
        nested = next((kind for kind in kinds if dataclasses.is_dataclass(kind)), None)
        if nested:
            found |= typed_keys(nested, f"{key}.")
        else:
            found[key] = (" or ".join(_name(kind) for kind in kinds), _default(field))
    return found


def _parts(hint: Any) -> list[Any]:
    """The alternatives of a type."""
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _parts(typing.get_args(hint)[0])
    if origin in (typing.Union, types.UnionType):
        return [part for one in typing.get_args(hint) for part in _parts(one)]
    return [hint]


def _name(kind: Any) -> str:
    plain = typing.get_origin(kind) or kind
    return "null" if plain is type(None) else getattr(plain, "__name__", "any").lower()


def _default(field: dataclasses.Field) -> Any:
    """A default as JSON; None where there is none, or where it is a folder of the machine it was asked on."""
    made = field.default_factory is not dataclasses.MISSING
    value = field.default_factory() if made else field.default
    if value is dataclasses.MISSING or str(Path.home()) in str(value):
        return None
    return value
