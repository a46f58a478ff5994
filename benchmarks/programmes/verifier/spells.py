"""How long interpreters work without a rest."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from benchmarks.programmes.verifier.case import Case


class Turn(NamedTuple):
    """One session of an interpreter; ``own`` is what they interpret of it themselves."""

    starts: datetime
    ends: datetime
    own: timedelta
    alone: bool
    new: bool


def rested_interpreters(case: Case) -> Iterator[str]:
    """Every complaint about somebody who interprets for longer than the longest spell without a rest."""
    longest = timedelta(minutes=case.centre.interpreting.longest_spell)
    for code in sorted({one.person for slot in case.slots for one in slot.assignments}):
        for spell in _spells(case, code):
            own = sum((turn.own for turn in spell), timedelta())
            too_long = own > longest and (len(spell) > 1 or spell[0].alone)
            if too_long and any(turn.new for turn in spell):
                yield f"{code} interprets for {own} without a rest"


def _spells(case: Case, code: str) -> Iterator[list[Turn]]:
    """The sessions of an interpreter, those with less than a rest between them together."""
    rest = timedelta(minutes=case.centre.interpreting.rest)
    spell: list[Turn] = []
    for turn in _turns(case, code):
        if spell and turn.starts - spell[-1].ends >= rest:
            yield spell
            spell = []
        spell.append(turn)
    if spell:
        yield spell


def _turns(case: Case, code: str) -> list[Turn]:
    turns = []
    for slot in case.slots:
        helpers = [one.person for one in slot.assignments if one.role == "interpreter"]
        if code in helpers:
            minutes = (slot.ends - slot.starts) / len(helpers)
            turns.append(Turn(slot.starts, slot.ends, minutes, len(helpers) == 1, not case.has_begun(slot)))
    if turns:  # what an interpreter does for others counts as interpreted alone
        turns += [
            Turn(span.start, span.end, span.end - span.start, alone=True, new=False)
            for span in case.problem.busy.get(f"person:{code}", ())
            if hasattr(span, "venue")
        ]
    return sorted(turns)
