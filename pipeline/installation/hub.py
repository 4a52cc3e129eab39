"""Whether a profile's model is on this machine, and whether the hub would give it out; nothing is downloaded.

    find_weights(config, hub_cache(os.environ))     # Weights("unsloth/gpt-oss-20b-...", here=False)
    ask("unsloth/gpt-oss-20b")                      # Hub("reachable", ...), or why not, after 5 s at most

HF_HUB_OFFLINE, HF_ENDPOINT, HF_HOME and HF_HUB_CACHE mean what they mean to the hub's own client.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Config
from pipeline.model_source import ModelError, resolve_source

_TRUE = {"1", "ON", "YES", "TRUE"}  # what the hub's own client takes for a yes


@dataclass(frozen=True)
class Hub:
    """Whether models can be downloaded: "reachable", "off" (told so), "unreachable" or "not asked"."""

    state: str
    detail: str


@dataclass(frozen=True)
class Weights:
    """A profile's model: where from, whether it is here whole, or what is wrong with it."""

    source: str
    here: bool
    problem: str = ""


def hub_cache(environ: Mapping[str, str]) -> Path:
    """Where the hub's client keeps downloaded models."""
    home = environ.get("HF_HOME") or Path(environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(environ.get("HF_HUB_CACHE") or Path(home, "hub")).expanduser()


def find_weights(config: Config, cache: Path) -> Weights:
    """Whether a config's model is in a folder or whole in the hub's cache."""
    try:
        source = resolve_source(config)
    except ModelError as error:
        return Weights(config.model, False, str(error))
    if Path(source).is_dir():
        return Weights(source, True)
    if config.load_in_4bit and source in ("unsloth/gpt-oss-20b", "openai/gpt-oss-20b"):
        source = "unsloth/gpt-oss-20b-unsloth-bnb-4bit"  # what Unsloth loads in their place
    snapshots = (cache / f"models--{source.replace('/', '--')}" / "snapshots").glob("*")
    return Weights(source, any(_whole(snapshot) for snapshot in snapshots))


def _whole(snapshot: Path) -> bool:
    """Whether a snapshot in the cache has its config and every file of weights."""
    index = snapshot / "model.safetensors.index.json"
    if index.exists():
        files = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    else:
        files = {"model.safetensors"}
    return all((snapshot / name).exists() for name in {"config.json", *files})


def ask(model: str | None, environ: Mapping[str, str] = os.environ, seconds: float = 5) -> Hub:
    """Whether the hub gives out a model, as its client would begin; answers within the seconds given."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if environ.get(name, "").upper() in _TRUE:
            return Hub("off", f"off: {name}={environ[name]}")
    endpoint = environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
    address = f"{endpoint}/{model}/resolve/main/config.json" if model else endpoint
    answers: list[Hub] = []
    # A thread, as the look-up of a name can take longer than any time limit of urllib's.
    asking = threading.Thread(target=lambda: answers.append(_head(address, endpoint, seconds)), daemon=True)
    asking.start()
    asking.join(seconds)
    return answers[0] if answers else Hub("unreachable", f"{endpoint} does not answer within {seconds:g} s")


def _head(address: str, endpoint: str, seconds: float) -> Hub:
    try:
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=seconds).close()
    except urllib.error.HTTPError as error:
        return Hub("unreachable", f"{endpoint} answers {error.code} {error.reason}")
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        return Hub("unreachable", f"{endpoint} is not reached: {reason}")
    return Hub("reachable", f"{endpoint} is reachable")
