"""Where a model's weights lie, and whether they are the right ones; found out without loading them.

    source = resolve_source(config)              # a folder that exists, or a name for the hub
    source = with_local_base(source, scratch)    # an adapter of the tiny base, wherever it was trained

A folder without a model is refused, and so are an adapter of another base than the profile's and a tiny base
that was made for another prompt than today's.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from pipeline.checkpoints import damaged
from pipeline.config import Config
from pipeline.profiles import PROFILES
from pipeline.runs import ROOT
from pipeline.tiny.base import FOLDER as TINY_BASE
from pipeline.tiny.tokenizer import prompt_fingerprint


class ModelError(RuntimeError):
    """A model that cannot be loaded as asked; the message names the way out."""


def check_adapter_folder(adapter: Path) -> None:
    """Refuse a stage's adapter that is not there or was not written whole."""
    if not adapter.is_dir():
        raise ModelError(f"there is no adapter in {adapter}: run the warm-up with the same RUN first")
    if damage := damaged(adapter):
        raise ModelError(
            f"the adapter in {adapter} cannot be used: {damage}; bring the folder back from a copy, or "
            f"remove {adapter.parent} and train again"
        )


def resolve_source(config: Config) -> str:
    """The model's folder or hub name, checked as far as that is possible without loading it."""
    local = next((path for path in (Path(config.model), ROOT / config.model) if path.is_dir()), None)
    if local is None:
        if config.model.startswith((".", "/", "data/", "outputs/")):
            hint = "; run `make tiny-base`" if Path(config.model).name == TINY_BASE.name else ""
            raise ModelError(f"there is no model in {config.model}{hint}")
        return config.model
    if (local / "adapter_config.json").exists():
        _check_base(local, config)
    elif not (local / "config.json").exists():
        raise ModelError(
            f"{local} holds neither config.json nor adapter_config.json: name the model's own folder"
        )
    else:
        _check_fingerprint(local)
    return str(local)


def _check_base(adapter: Path, config: Config) -> None:
    """Refuse an adapter that was trained on another base than the profile's."""
    trained_on = _recorded_base(adapter)
    tiny = Path(trained_on).name == TINY_BASE.name
    if tiny != (config.profile == "tiny"):
        raise ModelError(
            f"the adapter in {adapter} was trained on {trained_on}, but profile {config.profile!r} uses "
            f"{PROFILES[config.profile].get('model', 'data/tiny_base')}; use "
            f"{'profile=' + repr('tiny') if tiny else 'a GPU profile'}, or another adapter"
        )
    if tiny:
        _check_fingerprint(TINY_BASE)
        mine, base = adapter / "tokenizer.json", TINY_BASE / "tokenizer.json"
        if mine.exists() and json.loads(mine.read_text())["model"] != json.loads(base.read_text())["model"]:
            raise ModelError(f"the adapter in {adapter} was trained on an earlier tiny base; train it again")


def _check_fingerprint(folder: Path) -> None:
    """Refuse a tiny base that was made for another prompt than today's."""
    made_for = json.loads((folder / "config.json").read_text()).get("prompt_fingerprint")
    if made_for and made_for != prompt_fingerprint():
        raise ModelError(
            f"{folder} was made for another policy or other tools than today's; run `make tiny-base`"
        )


def _recorded_base(adapter: Path) -> str:
    return str(json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"])


def with_local_base(source: str, scratch: str) -> str:
    """An adapter that names the tiny base where another machine had it, renamed to where it is here."""
    adapter = Path(source)
    if not (adapter / "adapter_config.json").exists():
        return source
    base = _recorded_base(adapter)
    if Path(base).name != TINY_BASE.name or Path(base).is_dir():
        return source
    copy = Path(shutil.copytree(adapter, Path(scratch) / "adapter"))
    settings = json.loads((copy / "adapter_config.json").read_text())
    (copy / "adapter_config.json").write_text(
        json.dumps(settings | {"base_model_name_or_path": str(TINY_BASE)})
    )
    return str(copy)
