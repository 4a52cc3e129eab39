"""Whether a verl configuration will do what it says: our rules, the exported data, and verl's own validation.

    python -m scaleout.verl check scaleout/verl/recipes/gpt_oss_20b_grpo.yaml retail.data=/data/verl
    checked = check("my.yaml", ["data.train_batch_size=32"])
    checked.problems, checked.ok

Without verl the plain file is read, with verl 0.9.1's defaults for what it leaves out. With verl installed
the configuration is composed as a run would compose it, keys that verl does not know are found, and verl
validates.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scaleout.verl.rows import LOOPS
from scaleout.verl.rules import LOOP, problems
from scaleout.verl.settings import Settings

OWN_KEYS = ("retail", "reward.custom_reward_function.reward_kwargs", "hydra")  # unknown to verl, meant to be
EXPORT = "`python -m scaleout.verl export`"
OPEN = ("override_config", "engine_kwargs", "apply_chat_template_kwargs")  # hold whatever their reader takes


@dataclass(frozen=True)
class Checked:
    """What was found, and how far one could look."""

    problems: tuple[str, ...]
    with_verl: bool
    to_fill_in: tuple[str, ...]  # settings that the command line must give

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __str__(self) -> str:
        lines = [f"- {problem}" for problem in self.problems]
        lines.append(f"{len(self.problems)} settings are wrong" if lines else "nothing wrong found")
        if self.to_fill_in:
            validation = "; verl validates once they are given" if self.with_verl else ""
            lines.append(f"to be given at the launch: {', '.join(self.to_fill_in)}{validation}")
        if not self.with_verl:
            lines.append("verl is not installed here: unknown keys and its own validation were not looked at")
        return "\n".join(lines)


def check(path: str | Path, overrides: Sequence[str] = ()) -> Checked:
    """All that is wrong with a configuration, each in one sentence.

    Args:
        path: The YAML file.
        overrides: `a.b=value`, as on the command line of the launch.
    """
    plain = Settings.read(path, overrides)
    open_ends = tuple(_open_ends(plain.values))
    has_verl = find_spec("verl") is not None and find_spec("verl.trainer") is not None
    if not has_verl:
        return Checked((*problems(plain), *data_problems(plain)), False, open_ends)
    try:
        composed = compose(path, overrides)
    except Exception as error:  # hydra's many: all mean that a run could not begin
        return Checked((f"verl cannot compose it: {_first_line(error)}",), True, open_ends)
    settings = Settings({**composed, "hydra": plain.values.get("hydra", {})}, plain.values)
    found = [*problems(settings), *data_problems(settings)]
    found += [
        f"{name} is no setting of verl and is ignored: correct or remove it" for name in unknown(composed)
    ]
    if not found and not open_ends and (refused := refusal(path, overrides)):
        found.append(f"verl refuses it: {refused}")
    return Checked(tuple(found), True, open_ends)


def data_problems(settings: Settings) -> list[str]:
    """What is wrong with the data files, as far as they are there."""
    if find_spec("pyarrow") is None:
        return []
    found = []
    for name in ("data.train_files", "data.val_files"):
        path = settings[name]
        if settings.is_set(name) and isinstance(path, str) and Path(path).expanduser().is_file():
            found += [f"{name}: {problem}" for problem in _file_problems(Path(path).expanduser(), settings)]
    return found


def _file_problems(path: Path, settings: Settings) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        yield f"{path} is no parquet file ({_first_line(error)}); write it with {EXPORT}"
        return
    needed = {"prompt", "extra_info", "reward_model", "data_source"}
    if not needed <= set(table.column_names) or not len(table):
        yield f"{path} holds no rows for verl; write it with {EXPORT}"
        return
    indexes = [info.get("index") for info in table.column("extra_info").to_pylist()]
    if len(set(indexes)) < len(indexes):
        yield f"{path} has rows with the same extra_info.index, which verl takes for one; write it anew"
    if "agent_name" in table.column_names:
        names = set(table.column("agent_name").to_pylist())
        wanted = settings[LOOP]
        if names - {wanted}:
            yield (
                f"its rows name the loop {sorted(map(str, names))[0]}, which goes before {LOOP}={wanted}: "
                f"export with `--loop {wanted if wanted in LOOPS else 'retail_agent'}`"
            )


def compose(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The whole configuration as verl composes it."""
    from omegaconf import OmegaConf

    return OmegaConf.to_container(composed_by_verl(path, overrides), resolve=False)


def composed_by_verl(path: str | Path, overrides: Sequence[str]) -> Any:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    path = Path(path).resolve()
    with initialize_config_dir(str(path.parent), version_base=None):
        return hydra_compose(path.stem, overrides=list(overrides))


def unknown(composed: Mapping[str, Any]) -> list[str]:
    """Keys that verl's own configuration does not have."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module
    from omegaconf import OmegaConf

    with initialize_config_module("verl.trainer.config", version_base=None):
        known = OmegaConf.to_container(hydra_compose("ppo_trainer"), resolve=False)
    return sorted(_foreign(composed, known, ""))


def _foreign(ours: Mapping[str, Any], theirs: Mapping[str, Any], where: str) -> Iterator[str]:
    for key, value in ours.items():
        name = f"{where}{key}"
        if name in OWN_KEYS or key in OPEN:
            continue
        if key not in theirs:
            yield name
        elif isinstance(value, Mapping) and isinstance(theirs[key], Mapping):
            yield from _foreign(value, theirs[key], f"{name}.")


def refusal(path: str | Path, overrides: Sequence[str] = ()) -> str | None:
    """What verl's own validation says against it; None where it passes."""
    quiet = contextlib.redirect_stdout(io.StringIO())
    with quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from verl.trainer.ppo.utils import need_critic, need_reference_policy
        from verl.utils.config import validate_config

        config = composed_by_verl(path, overrides)
        try:
            validate_config(config, need_reference_policy(config), need_critic(config))
        except Exception as error:  # assertions, ValueErrors and hydra's: all stop a run at its start
            logging.getLogger(__name__).debug("verl's validation", exc_info=True)
            return _first_line(error)
    return None


def _open_ends(values: Any, where: str = "") -> Iterator[str]:
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _open_ends(value, f"{where}.{key}" if where else str(key))
    elif values == "???":
        yield where


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = " ".join(lines[:2] if lines and lines[0].endswith(":") else lines[:1])
    return f"{type(error).__name__}: {said:.400}" if said else type(error).__name__
