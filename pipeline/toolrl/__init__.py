"""ToolRL in gpt-oss's harmony format: its data converted, its reward with the published switches, verl's entry.

    python -m pipeline.toolrl convert --input-dir rlla_4k --output-dir rlla_gpt

    total, form, right, length = compute_score(completion, row["reward_model"]["ground_truth"], step=75)
    compute_score(completion, truth, switches=Switches(intermediate=True, guess_cap=0))

`total = format + correctness + length`. Without switches: format 0 or 1, correctness -3 to 3, length 0.

| part | decided like this |
| --- | --- |
| format | thoughts first, then calls, a final message, or calls and a final message, as the right answer has it; preambles may stand before the calls. Everything well-formed, nothing besides. |
| correctness | the published formula (pipeline/toolrl_score.py) on the calls, wherever they stand; 0 where the right answer calls nothing. Any call that cannot be read costs everything. |
| length | words of the last thoughts, where switched on |

The numbers are those of the public implementation (qiancheng0/ToolRL) for the same answer in its tags. Not the
same, because harmony has no block of calls: a preamble may announce them, arguments may span lines, and thoughts
may speak of tags. Two faults of the original are refused with an error: the switches that turn the
reward upside down, and a right answer that cannot be read (the converter rejects such rows). A solution never
raises, whatever it holds. Known to be gameable by many guesses beside the right call: `guess_cap` (GUESSCAP).

verl: `reward.custom_reward_function.path=pkg://pipeline.toolrl`, `.name=verl_score`.
"""  # noqa: E501 (a table)

from pipeline.toolrl.reward import Score, compute_score, read_gold
from pipeline.toolrl.verl import verl_score

__all__ = ["Score", "compute_score", "read_gold", "verl_score"]
