"""Ways to get paid for nothing, to find out whether a reward can be fooled.

    from pipeline.attacks import ATTACKS, honest, partial_works
    for attack in ATTACKS:
        for episode in attack.episodes(shop, task):     # in each of the two modes it exists in
            score(episode).total

An attack is a pure function of a task; it may know the gold actions, which a policy under training comes to
know by trial. `calls.py` has those that make calls (with `changes.py`), `texts.py` those that write something
else than they should, `evolution.py` an attacker that searches by itself, `report.py` the table.
"""

from pipeline.attacks.attack import Attack, dominates, honest, partial_works
from pipeline.attacks.calls import CALL_ATTACKS
from pipeline.attacks.texts import TEXT_ATTACKS

ATTACKS: tuple[Attack, ...] = (*CALL_ATTACKS, *TEXT_ATTACKS)

__all__ = ["ATTACKS", "Attack", "dominates", "honest", "partial_works"]
