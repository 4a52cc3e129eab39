"""Keeps the attention's keys and values of every episode from turn to turn, so that nothing is read twice.

Without it, each turn of an episode reads the whole conversation again, the policy and the tools included.
Here every row of a batch carries what was computed for it; new tokens are read in batches of similar length,
right-padded, and for writing the rows are put together left-padded. A row's tokens always lie side by side,
so that sliding windows see what they would see in the row alone. What the prompts have in common is computed
once and shared.

    cache = KeptCache(model, pad=tokenizer.pad_token_id)      # if KeptCache.fits(model)
    cache.read(rows)                      # everything but each row's last token
    batch = cache.together(rows)          # past_key_values for model.generate
    cache.keep(batch, rows, written)      # so many more tokens of each row are known now
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache as once
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

READ_PADDING = 512  # tokens of padding that cost about as much to read as another pass over the model
SPACE = 64  # tokens that a batch's cache grows by
T = TypeVar("T")


@dataclass(frozen=True)
class Kept:
    """The keys and values of a row's first tokens, for each layer; a sliding layer may have lost old ones."""

    length: int = 0
    layers: tuple[tuple[Tensor, Tensor], ...] = ()  # each of shape (heads, tokens, width)
    prefix: tuple[int, ...] = ()  # the tokens of a beginning that others may share
    shared: tuple[tuple[Tensor, Tensor], ...] = ()  # and its keys and values, all of them

    def of(self, layer: int, kind: int) -> Tensor | None:
        """A layer's keys (0) or values (1)."""
        return self.layers[layer][kind] if self.layers else None


class Row(Protocol):
    """What is being read and written in one place of a batch."""

    tokens: list[int]
    kept: Kept | None


@dataclass
class _Beginning:
    tokens: list[int]
    kept: Kept | None


class KeptCache:
    """The keys and values of rows, apart between two turns and together for reading and writing."""

    def __init__(self, model: Any, pad: int) -> None:
        self.model, self.pad = model, pad
        self.windows = _windows(model)
        if self.windows is None:
            raise ValueError("this model has layers other than attention: use keep_cache=False")

    @staticmethod
    def fits(model: Any) -> bool:
        """Whether all of a model's layers are attention, over everything or in a sliding window."""
        return _windows(model) is not None

    def read(self, rows: Sequence[Row]) -> None:
        """Compute what is missing of each row, up to its last token: that one is read in writing the next."""
        self._begin(rows)
        unread = [row for row in rows if _unread(row) > 0]
        for group in alike(unread, _unread, READ_PADDING):
            self._read(group)

    def together(self, rows: Sequence[Row]) -> Any:
        """The rows' keys and values as a batch, left-padded to the longest."""
        from transformers import Cache

        known = max(row.kept.length for row in rows)
        layers = []
        for place, (width, window) in enumerate(zip(self._widths(known), self.windows, strict=True)):
            layer = _layer_class()(known - width, bool(window))
            if known:
                layer.set(*(_stacked([row.kept.of(place, kind) for row in rows], width) for kind in (0, 1)))
            layers.append(layer)
        return Cache(layers=layers)

    def keep(self, batch: Any, rows: Sequence[Row], read: Iterable[int]) -> None:
        """Take the rows apart again, each with so many more tokens."""
        widths = self._widths(max(row.kept.length for row in rows))
        for place, (row, more) in enumerate(zip(rows, read, strict=True)):
            layers = []
            for layer, width in zip(batch.layers, widths, strict=True):
                own = slice(max(0, width - row.kept.length), width + more)
                layers.append((layer.keys[place, :, own], layer.values[place, :, own]))
            row.kept = replace(row.kept, length=row.kept.length + more, layers=tuple(layers))

    def _widths(self, known: int) -> list[int]:
        """How many of so many tokens each layer can still see when the next one is read."""
        return [min(known, window - 1) if window else known for window in self.windows]

    def _begin(self, rows: Sequence[Row]) -> None:
        """Let new rows begin with what they have in common with the others."""
        new = [row for row in rows if row.kept is None]
        if not new:
            return
        source = next((row.kept for row in rows if row.kept and row.kept.prefix), None)
        if source is None:
            rows_tokens = [row.tokens for row in new]
            beginning = _Beginning(rows_tokens[0][: _common(rows_tokens)], Kept())
            self.read([beginning])
            known = beginning.kept
            source = Kept(prefix=tuple(beginning.tokens[: known.length]), shared=known.layers)
        for row in new:
            same = _common([source.prefix, row.tokens[:-1]])
            layers = tuple((keys[:, :same], values[:, :same]) for keys, values in source.shared)
            row.kept = replace(source, length=same, layers=layers)

    def _read(self, rows: Sequence[Row]) -> None:
        """One forward pass over the unread tokens of rows, right-padded."""
        import torch

        device = self.model.device
        batch, known = self.together(rows), [row.kept.length for row in rows]
        longest, width = max(known), max(map(_unread, rows))
        ids = torch.full((len(rows), width), self.pad)
        mask = torch.zeros((len(rows), longest + width), dtype=torch.long)
        for place, row in enumerate(rows):
            new = row.tokens[row.kept.length : -1]
            ids[place, : len(new)] = torch.tensor(new)
            mask[place, longest - row.kept.length : longest + len(new)] = 1
        positions = torch.tensor(known)[:, None] + torch.arange(width)
        self.model.get_decoder()(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            position_ids=positions.to(device),
            past_key_values=batch,
            use_cache=True,
        )
        self.keep(batch, rows, [_unread(row) for row in rows])


def _unread(row: Row) -> int:
    return len(row.tokens) - 1 - row.kept.length


def _common(rows: Sequence[Sequence[int]]) -> int:
    """How many first tokens all rows have in common."""
    pairs = enumerate(zip(*rows, strict=False))
    return next((place for place, tokens in pairs if len(set(tokens)) > 1), min(map(len, rows)))


def alike(items: Iterable[T], length: Callable[[T], int], padding: float) -> Iterator[list[T]]:
    """Groups of similar length: a batch is divided where its padding would exceed so many tokens."""
    group: list[T] = []
    for item in sorted(items, key=length):
        if sum(length(item) - length(shorter) for shorter in group) > padding:
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def _stacked(rows: Sequence[Tensor | None], width: int) -> Tensor:
    """The last `width` tokens of each row, left-padded with zeros; a row may have none yet."""
    some = next(row for row in rows if row is not None)
    stacked = some.new_zeros((len(rows), some.shape[0], width, some.shape[2]))
    for place, row in enumerate(rows):
        if row is not None:
            last = row[:, -width:]
            stacked[place, :, width - last.shape[1] :] = last
    return stacked


def _windows(model: Any) -> list[int | None] | None:
    """Each layer's sliding window (None: it sees everything); None if there are other kinds of layers."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    config = model.config.get_text_config(decoder=True)
    kinds = set(getattr(config, "layer_types", None) or ())
    layers = DynamicCache(config=config).layers
    known = {DynamicLayer, DynamicSlidingWindowLayer}
    if not layers or kinds - {"full_attention", "sliding_attention"} or {*map(type, layers)} - known:
        return None
    return [getattr(layer, "sliding_window", None) for layer in layers]


@once
def _layer_class() -> type:
    from transformers.cache_utils import DynamicLayer

    class Layer(DynamicLayer):
        """A layer that has forgotten its first tokens, and knows how many they were.

        It takes new tokens into space it has set aside; transformers' own copies everything for each token.
        """

        def __init__(self, forgotten: int, sliding: bool) -> None:
            super().__init__()
            self.forgotten, self.is_sliding, self.space = forgotten, sliding, 0

        def set(self, keys: Tensor, values: Tensor) -> None:
            self.lazy_initialization(keys, values)
            self.keys, self.values = keys, values

        def update(self, keys: Tensor, values: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
            if not self.is_initialized:
                self.set(keys[:, :, :0], values[:, :, :0])
            held = self.keys.shape[2]
            total = held + keys.shape[2]
            if total > self.space:
                self.space = total + SPACE
                self.both = [_wider(old, self.space) for old in (self.keys, self.values)]
            for room, new in zip(self.both, (keys, values), strict=True):
                room[:, :, held:total] = new
            self.keys, self.values = (room[:, :, :total] for room in self.both)
            return self.keys, self.values

        def get_seq_length(self) -> int:
            return self.forgotten + super().get_seq_length()

        def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
            return super().get_seq_length() + query_length, self.forgotten

    return Layer


def _wider(tensor: Tensor, space: int) -> Tensor:
    wide = tensor.new_empty((*tensor.shape[:2], space, tensor.shape[3]))
    wide[:, :, : tensor.shape[2]] = tensor
    return wide
