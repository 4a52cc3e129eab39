"""Tables and pictures for people: the tools, what happened in an episode, what it changed, what it earned.

Everything is made from an `Episode` (or the environment that holds it), never from a model's raw text.

    check_machine()
    tools_table()
    show_episode(env.episode)
    difference_table(env)
    compare_behaviours(shop, task, {"does nothing": [...]})
"""

from __future__ import annotations

import html
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from envs.retail.database import Database, Shop
from envs.retail.diff import differences
from envs.retail.environment import Episode, RetailEnv, Turn, replay
from envs.retail.tasks import RESPOND, Action, Task
from envs.retail.tools import TOOLS

if TYPE_CHECKING:
    import pandas as pd
    from IPython.display import HTML, Markdown
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas.io.formats.style import Styler

PLAIN = "tex2jax_ignore mathjax_ignore"  # classes: "$5 and $6" are prices and no formula
_STYLE = """<style>
.episode {max-width: 52em; font-size: 14px; line-height: 1.45}
.episode div {margin: 6px 0; padding: 6px 12px; border-radius: 8px; overflow-wrap: anywhere}
.episode .customer {background: #8882; margin-right: 4em}
.episode .agent {background: #4a90d930; margin-left: 4em}
.episode .call {border-left: 3px solid #4a90d9; border-radius: 0; margin-left: 4em; padding: 2px 12px}
.episode .failed {border-color: #d9534a}
.episode pre {white-space: pre-wrap; font-size: 12px; max-height: 16em; overflow: auto; margin: 4px 0}
</style>"""


def check_machine() -> HTML:
    """This machine, what is installed on it, and which profiles will run here: `make check` as tables."""
    from IPython.display import HTML

    from pipeline.installation import check, machine

    configs = check.all_configs()
    facts = machine.look(configs, ask_hub=False)
    found = left_aligned(check.fact_rows(facts, check.chosen_set(facts)), ["", "on this machine"])
    verdicts = [(one.profile, str(one)) for one in check.verdicts(facts, configs)]
    return HTML(found.to_html() + left_aligned(verdicts, ["profile", "will it run here?"]).to_html())


def show_policy(text: str) -> Markdown:
    """A policy as a rendered, quoted page."""
    from IPython.display import Markdown

    return Markdown("\n".join(f"> {line}" for line in text.replace("\n# ", "\n### ").splitlines()))


def shop_table(shop: Shop) -> Styler:
    """What the shop holds, in numbers."""
    variants = [variant for product in shop.products.values() for variant in product["variants"].values()]
    sources = [
        method["source"] for user in shop.users.values() for method in user["payment_methods"].values()
    ]
    statuses = [order["status"] for order in shop.orders.values()]
    rows = [
        ("customers", len(shop.users), f"with {_counts(sources)}"),
        (
            "products",
            len(shop.products),
            f"in {len(variants)} variants, {_share(variants)} of them available",
        ),
        ("orders", len(shop.orders), _counts(statuses)),
    ]
    return left_aligned(rows, ["", "how many", "of these"])


def tools_table() -> Styler:
    """The shop's tools: name, what kind of action it is, its arguments and its first sentence."""
    rows = [
        (name, tool.kind, ", ".join(tool.kinds), tool.schema["function"]["description"].split(". ")[0])
        for name, tool in TOOLS.items()
    ]
    return left_aligned(rows, ["tool", "kind", "arguments", "what it does"])


def tool_schema(name: str) -> dict[str, Any]:
    """A tool as the agent sees it."""
    return TOOLS[name].schema


def show_episode(episode: Episode) -> HTML:
    """The conversation with its tool calls; answers are folded, and hostile text stays text."""
    from IPython.display import HTML

    parts = [f'<div class="customer"><b>customer</b> {html.escape(episode.opening)}</div>']
    parts += [_turn_html(turn) for turn in episode.turns]
    ended = html.escape(episode.ended or "still going on")
    return HTML(f'{_STYLE}<div class="episode {PLAIN}">{"".join(parts)}<i>ended: {ended}</i></div>')


def _turn_html(turn: Turn) -> str:
    if turn.action.name == RESPOND and not turn.failed:
        said = html.escape(str(turn.action.arguments.get("content", "")))
        reply = html.escape(turn.observation)
        return (
            f'<div class="agent"><b>agent</b> {said}</div><div class="customer"><b>customer</b> {reply}</div>'
        )
    name, failed = html.escape(str(turn.action.name)), " failed" if turn.failed else ""
    arguments = html.escape(json.dumps(turn.action.arguments, ensure_ascii=False, default=str))
    summary = f"<summary><b>{name}</b> <code>{arguments}</code></summary>"
    answer = html.escape(turn.observation or "(empty)")
    return f'<div class="call{failed}"><details>{summary}<pre>{answer}</pre></details></div>'


def difference_table(env: RetailEnv) -> Styler:
    """What the episode has changed in the shop so far, field by field."""
    return _differences(env.database)


def changes_table(shop: Shop, episode: Episode) -> Styler:
    """What a finished episode has changed in the shop, field by field."""
    return _differences(replay(shop, tuple(turn.action for turn in episode.calls if not turn.failed)))


def _differences(database: Database) -> Styler:
    rows = [(d.record, d.field, _short(d.before), _short(d.after)) for d in differences(database)]
    return left_aligned(rows, ["record", "field", "before", "after"])


def compare_behaviours(shop: Shop, task: Task, behaviours: dict[str, list[Action]]) -> Styler:
    """The reward of several ways to act on one task; the customer says goodbye to whatever is said."""
    rows = []
    for name, actions in behaviours.items():
        env = RetailEnv(shop, task, max_steps=len(actions) + 1)
        env.reset()
        for action in actions:
            env.step(action)
        score = env.score()
        told = _yes(not score.missing_outputs) if task.outputs else "nothing to tell"
        rows.append((name, _yes(score.database_equal), told, f"{score.reward:g}"))
    return left_aligned(rows, ["agent", "shop as it should be", "customer was told", "reward"])


def plot_speed(timings: pd.DataFrame) -> Axes:
    """Median time of each operation as bars on a logarithmic axis, with the number of repetitions."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(figsize=(8, 0.34 * len(timings) + 1.1))
    bars = axes.barh(timings["operation"], timings["microseconds"], color="#4a90d9")
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.set(xscale="log", xlabel=f"median µs per operation (log scale, n = {timings['n'].min()} or more)")
    axes.set_xlim(right=timings["microseconds"].max() * 2.5)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def new_figure(width: float, height: float) -> Figure:
    """An empty figure that a notebook shows as a picture where it is a cell's value, and only there."""
    import matplotlib.pyplot as plt  # a kernel learns from pyplot how to draw figures at all

    figure = plt.figure(figsize=(width, height), layout="constrained")
    plt.close(figure)  # else it would be shown once more at the end of the cell
    return figure


def _counts(values: list[str]) -> str:
    return ", ".join(f"{count} {value.replace('_', ' ')}" for value, count in Counter(values).most_common())


def _share(variants: list[dict]) -> str:
    return f"{sum(variant['available'] for variant in variants) / len(variants):.0%}"


def _yes(condition: bool) -> str:
    return "yes" if condition else "no"


def _short(value: object, width: int = 60) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return text if len(text) <= width else text[: width - 1] + "…"


def left_aligned(rows: list[tuple], columns: list[str]) -> Styler:
    """A table to look at: no index, words to the left, and whatever stands in it is text."""
    frame = pd_frame(rows, columns)
    sides = {"text-align": "left", "vertical-align": "top"}
    heads = [{"selector": "th", "props": list(sides.items())}]
    style = frame.style.format(escape="html").format_index(escape="html", axis=1)
    style = style.set_table_attributes(f'class="{PLAIN}"').hide(axis="index")
    return style.set_properties(**sides).set_table_styles(heads)


def pd_frame(rows: list[tuple], columns: list[str]) -> pd.DataFrame:
    """A table to reckon with."""
    import pandas as pd

    return pd.DataFrame(rows, columns=columns)
