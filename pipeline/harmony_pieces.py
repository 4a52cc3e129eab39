"""What a model generated, cut at its special tokens: what pipeline/harmony_parse.py reads.

    pieces = Pieces("<|channel|>final<|message|>Done.<|return|>", None)
    pieces.take_if("<|channel|>"), pieces.take_text()      # True, "final"

    vocabulary = Vocabulary.of(tokenizer)                  # for token ids
    list(split_tokens(ids, vocabulary))                    # [Piece("<|channel|>", True), …]

In a text every "<|call|>" is the special token. Among token ids only the real token is; the same characters
typed out are ordinary words.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

SPECIAL = re.compile(
    r"<\|(?:start|end|message|channel|constrain|return|call|startoftext|endoftext|endofprompt|reserved_\d{6})\|>"
)
PADDING = ("<|endoftext|>", "<|reserved_200017|>")  # OpenAI's padding and Unsloth's
NO_TEXT = "\ufffd"  # what a decoder shows for bytes that are no text

Completion = str | Sequence[int]


@dataclass(frozen=True)
class Vocabulary:
    """What reading tokens takes: which ids are special, and the text of the others."""

    specials: Mapping[int, str]
    decode: Callable[[list[int]], str]

    @classmethod
    def of(cls, tokenizer: Any) -> "Vocabulary":
        """The vocabulary of a transformers tokenizer.

        gpt-oss can generate a thousand ids more than its tokenizer knows, which decodes them to nothing. Here
        they are seen: else they could stand anywhere, also after the end of a turn.
        """
        added = tokenizer.get_added_vocab().items()
        specials = {number: text for text, number in added if SPECIAL.fullmatch(text)}
        size = len(tokenizer)

        def decode(ids: list[int]) -> str:
            return "".join(
                tokenizer.decode(list(run), clean_up_tokenization_spaces=False)
                if has_text
                else NO_TEXT * len(list(run))
                for has_text, run in groupby(ids, lambda number: 0 <= number < size)
            )

        return cls(specials, decode)


class Piece(NamedTuple):
    """A special token, or the text up to the next one."""

    text: str
    special: bool


class Pieces:
    """A completion piece by piece, with a look at the next one."""

    def __init__(self, completion: Completion, vocabulary: Vocabulary | None) -> None:
        self.is_text = isinstance(completion, str)
        if not self.is_text and vocabulary is None:
            raise TypeError("token ids need their vocabulary: parse(ids, tools, Vocabulary.of(tokenizer))")
        self._rest = _split_text(completion) if self.is_text else split_tokens(completion, vocabulary)
        self.next: Piece | None = next(self._rest, None)

    def take(self) -> Piece | None:
        """The next piece, None at the end."""
        piece, self.next = self.next, next(self._rest, None)
        return piece

    def take_text(self) -> str:
        """The next piece if it is text."""
        return self.take().text if self.next and not self.next.special else ""

    def take_if(self, *texts: str) -> bool:
        """Take the next piece if it is one of these special tokens."""
        found = bool(self.next and self.next.special and self.next.text in texts)
        if found:
            self.take()
        return found

    def take_prefix(self, prefix: str) -> bool:
        """Take only the beginning of the next text."""
        if self.next is None or self.next.special or not self.next.text.startswith(prefix):
            return False
        rest = self.next.text[len(prefix) :]
        self.next = Piece(rest, False) if rest else next(self._rest, None)
        return True

    def skip_padding(self) -> None:
        """Take what fills a batch up behind the end."""
        while self.take_if(*PADDING):
            pass

    def skip_space_between_messages(self) -> None:
        """People who write harmony by hand put line breaks there; a model that does is refused."""
        if self.is_text and self.next and not self.next.special and self.next.text.isspace():
            self.take()


def _split_text(text: str) -> Iterator[Piece]:
    start = 0
    for match in SPECIAL.finditer(text):
        begin, end = match.span()
        if begin > start:
            yield Piece(text[start:begin], False)
        yield Piece(match[0], True)
        start = end
    if start < len(text):
        yield Piece(text[start:], False)


def split_tokens(ids: Sequence[int], vocabulary: Vocabulary) -> Iterator[Piece]:
    """Token ids as pieces: each special token, and the text of the others between them."""
    for special, run in groupby(map(int, ids), lambda number: number in vocabulary.specials):
        if special:
            yield from (Piece(vocabulary.specials[number], True) for number in run)
        elif text := vocabulary.decode(list(run)):
            yield Piece(text, False)
