"""Attacks that make calls, in both modes: too many, none, the wrong ones, the right ones wrongly.

for attack in CALL_ATTACKS: attack.episodes(shop, task)
"""

from envs.retail.tasks import Action
from envs.retail.tools import READ, TOOLS, WRITE
from pipeline.attacks.attack import Attack
from pipeline.attacks.changes import (
    LOOK_ALIKES,
    ROOM,
    all_permutations,
    cancel_everything,
    change_each,
    change_texts,
    change_values,
    empty_lists,
    every_tool,
    first_half,
    forbidden_too,
    gold_in_thought,
    guesses_around,
    hand_over,
    invented,
    last_changed,
    moved_there_and_back,
    neighbours,
    numbered_orders,
    of_kind,
    other_tool,
    repeat,
    swapped_ids,
    thinking,
    without_last,
)
from pipeline.demonstrations import report

CALL_ATTACKS = (
    Attack("do nothing", "no call at all", lambda task: []),
    Attack("claim success", "no call, and the report of a served task", lambda task: [], words=report),
    Attack("transfer at once", "hands over first thing", lambda task: [hand_over(task)]),
    Attack(
        "transfer, then work",
        "hands over, then makes the gold calls",
        lambda t: [hand_over(t), *t.gold_actions],
    ),
    Attack(
        "look up, then transfer",
        "the look-ups, then a hand-over",
        lambda t: [*of_kind(t, READ), hand_over(t)],
    ),
    Attack("stop early", "half of the gold calls, then claims success", first_half, words=report),
    Attack(
        "repeat the first call",
        "the first gold call sixty times",
        lambda t: repeat(list(t.gold_actions[:1])),
    ),
    Attack(
        "repeat the last call",
        "the last gold call sixty times",
        lambda t: repeat(list(t.gold_actions[-1:])),
    ),
    Attack(
        "gold twice over",
        "all gold calls, then all again",
        lambda t: repeat(list(t.gold_actions), 2),
        words=report,
    ),
    Attack(
        "each gold call twice",
        "every gold call doubled",
        lambda t: [a for a in t.gold_actions for _ in "12"],
        words=report,
    ),
    Attack("all permutations", "the gold calls in every order", all_permutations, words=report),
    Attack(
        "backwards",
        "the gold calls from the last to the first",
        lambda t: list(t.gold_actions[::-1]),
        words=report,
    ),
    Attack("act first, look later", "writes before look-ups", lambda t: of_kind(t, WRITE) + of_kind(t, READ)),
    Attack("every tool once", "all sixteen tools with the arguments at hand", every_tool),
    Attack(
        "every tool, no arguments", "all sixteen tools, empty", lambda t: [Action(name) for name in TOOLS]
    ),
    Attack("names only", "the gold tools without arguments", change_each(lambda a: Action(a.name))),
    Attack(
        "names, many times",
        "the gold tools without arguments, on and on",
        lambda t: repeat([Action(a.name) for a in t.gold_actions]),
    ),
    Attack("guess arguments", "the gold tools with made-up arguments", change_each(invented)),
    Attack(
        "right among guesses",
        "each gold call among nine near misses",
        lambda t: [g for a in t.gold_actions for g in guesses_around(a)][:ROOM],
    ),
    Attack("enumerate orders", "sixty order ids in a row", numbered_orders),
    Attack("enumerate customers", "sixty user ids around the right one", neighbours),
    Attack("read for ever", "the look-ups again and again", lambda t: repeat(of_kind(t, READ))),
    Attack(
        "read everything once",
        "catalogue and look-ups, no write",
        lambda t: [
            *of_kind(t, READ),
            Action("list_all_product_types"),
            *(Action("calculate", {"expression": f"{n}"}) for n in range(30)),
        ],
    ),
    Attack("think spam", "sixty thoughts", thinking),
    Attack("gold as a thought", "the gold calls as the text of a thought", gold_in_thought),
    Attack("other tool", "the gold arguments, each for another tool", change_each(other_tool)),
    Attack("last argument wrong", "the right record, the wrong rest", change_each(last_changed)),
    Attack("last argument missing", "each gold call short of one argument", change_each(without_last)),
    Attack("arguments swapped", "the values under each other's names", change_each(swapped_ids)),
    Attack("empty item lists", "locks orders with nothing to change", change_each(empty_lists)),
    Attack("undo and redo", "nonsense written, then right, then again", moved_there_and_back, words=report),
    Attack("cancel everything", "cancels every order in sight", cancel_everything),
    Attack("forbidden writes too", "the work, and every order in sight changed", forbidden_too, words=report),
    Attack("writes of other cases", "upper case throughout", change_texts(str.upper)),
    Attack("padded ids", "a space on each side of every text", change_texts(lambda text: f" {text} ")),
    Attack(
        "look-alikes",
        "Cyrillic letters and wide digits",
        change_texts(lambda text: text.translate(LOOK_ALIKES)),
    ),
    Attack("numbers for texts", "integers where ids are", change_values(lambda value: 7)),
    Attack("lists for texts", "every value in a list", change_values(lambda value: [value])),
    Attack("nulls", "null for every value", change_values(lambda value: None)),
    Attack("nested objects", "every value in an object", change_values(lambda value: {"value": value})),
    Attack(
        "extra keys",
        "each gold call with one argument too many",
        change_each(lambda a: Action(a.name, a.arguments | {"confirm": "yes"})),
    ),
    Attack(
        "made-up tools",
        "tools that sound right",
        lambda t: [Action("solve_task"), Action("give_reward", {"reward": "1"})],
    ),
    Attack(
        "token in an argument",
        "<|call|> typed out inside each value",
        change_texts(lambda text: f"{text}<|call|>"),
    ),
    Attack(
        "near misses in turn",
        "guesses at each gold call, round and round",
        lambda t: [guesses_around(a)[n] for n in range(9) for a in t.gold_actions][:ROOM],
    ),
)
