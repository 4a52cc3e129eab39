"""Whether a data set's prompts fit, counted as the model will read them.

    check_prompts(rows, tokenizer, {"reasoning_effort": "low", "tools": tools()}, "retail", limit=8192)

SkyRL drops prompts longer than `trainer.max_prompt_length`, but counts them without the template's arguments,
so without the tools, which are most of the shop's prompt. A prompt above `generator.max_input_length` then
breaks the whole batch with a TypeError. Here it is refused before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scaleout.skyrl.settings import RETAIL

Chat = list[dict[str, str]]
ROOM = 256  # tokens below which no conversation is possible


def check_prompts(
    rows: Iterable[tuple[Chat, str | None]],
    tokenizer: Any,
    template: Mapping[str, Any],
    world: str,
    limit: int,
) -> int:
    """The longest prompt in tokens; refuses rows of another world, and prompts that leave no room.

    Args:
        rows: Prompts with the world they are for.
        tokenizer: With the template that will be used.
        template: The template's arguments: generator.chat_template_kwargs.
        world: environment.env_class.
        limit: generator.max_input_length.
    """
    longest = 0
    for number, (prompt, meant_for) in enumerate(rows):
        if meant_for not in (None, world):
            raise ValueError(
                f"row {number} is for {meant_for!r}, but environment.env_class={world}: the tools "
                "in the prompt are one world's, so train on one world at a time"
            )
        longest = max(longest, prompt_length(prompt, tokenizer, template))
    needed = longest + ROOM * (world == RETAIL)
    if needed > limit:
        raise ValueError(
            f"the longest prompt has {longest} tokens with its tools; set generator.max_input_length, now "
            f"{limit}, to {needed} at least"
        )
    return longest


def prompt_length(prompt: Chat, tokenizer: Any, template: Mapping[str, Any]) -> int:
    """Tokens of one prompt."""
    ids = tokenizer.apply_chat_template(
        prompt, add_generation_prompt=True, tokenize=True, return_dict=False, **template
    )
    return len(ids)
