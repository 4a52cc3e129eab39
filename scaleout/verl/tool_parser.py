"""verl's tool parser for gpt-oss, read by the project's strict reader: `multi_turn.format: gpt-oss-harmony`.

verl's own parsers read one of the four shapes gpt-oss writes calls in ("gpt-oss"), or none ("hermes"). This
one reads both published headers, with or without thoughts before them, and nothing else; generation stops
where a turn ends. A turn that is refused calls nothing, which ends the episode, and leaves the reason as
its words.

verl imports this module through `scaleout.verl.tools` or `scaleout.verl.agent_loop`.
"""

import json
from typing import Any

from verl.experimental.agent_loop.tool_parser import FunctionCall, ToolParser

from envs.retail.tools import TOOLS
from pipeline.harmony import Call
from pipeline.harmony_parse import Vocabulary, parse
from pipeline.strict import Verdict
from scaleout.verl.account import unread

FORMAT = "gpt-oss-harmony"
STOPS = ("<|call|>", "<|return|>")


@ToolParser.register(FORMAT)
class HarmonyToolParser(ToolParser):
    """Reads one turn of gpt-oss from its tokens."""

    def __init__(self, tokenizer: Any) -> None:
        super().__init__(tokenizer)
        self.vocabulary = Vocabulary.of(tokenizer)
        self._stops = stops(self.vocabulary)

    @property
    def stop_token_ids(self) -> list[int]:
        """Where a turn ends: verl adds them to the sampling parameters."""
        return self._stops

    async def extract_tool_calls(
        self, responses_ids: list[int], tools: Any = None
    ) -> tuple[str, list[FunctionCall]]:
        """The turn's words, and its call if it has one; a call of an unknown tool is verl's to answer."""
        parsed = parse(responses_ids, TOOLS, self.vocabulary)
        if parsed.final is not None:
            return parsed.final, []
        last = parsed.messages[-1] if parsed.messages else None
        if isinstance(last, Call) and parsed.verdict in (Verdict.OK, Verdict.UNKNOWN_TOOL):
            arguments = json.dumps(last.arguments, ensure_ascii=False)
            return "", [FunctionCall(name=last.name, arguments=arguments)]
        return unread(parsed.verdict, parsed.reason), []


def stops(vocabulary: Vocabulary) -> list[int]:
    """The ids of the tokens a turn ends with; an error where the tokenizer has none."""
    found = [token for token, text in vocabulary.specials.items() if text in STOPS]
    if len(found) != len(STOPS):
        raise ValueError(
            f"the tokenizer lacks {' or '.join(STOPS)}, so its model does not write harmony: "
            "for others use the loop retail_tools and the parser of their family, such as format: hermes"
        )
    return sorted(found)
