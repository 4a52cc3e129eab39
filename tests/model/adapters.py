"""Adapters as they lie in their folders, and how far two of them are apart."""

from pathlib import Path
from typing import Any

Weights = dict[str, Any]


def weights_in(folder: Path) -> Weights:
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


def distance(ours: Weights, theirs: Weights) -> float:
    """Length of the difference of two adapters, as a share of the second's length."""
    assert ours.keys() == theirs.keys()
    apart = sum((ours[name] - theirs[name]).double().square().sum() for name in theirs)
    return float((apart / sum(weights.double().square().sum() for weights in theirs.values())).sqrt())
