"""How many prompts have to agree before two versions of a processor count as equal, and which of them say anything."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterable

from codegen.rewrite.tokens.outcomes import LACK, Outcome
from codegen.rewrite.tokens.prompts import Prompt, has_no_text

WANTED, MORE, MOST_RUNS = 6, 3, 120
"""Runs in which something was replaced that have to agree, more for each further placeholder, and runs at most."""
PAST = 12
"""Prompts with a text that go past what is compared, after which they are done without where others come to it."""
TOO_FEW = "too few prompts"


class Tally:
    """What the prompts so far have shown, of statements each of which has to run."""

    def __init__(self, seen: Collection[ast.stmt]) -> None:
        self._seen = seen
        self._compared = frozenset(id(node) for node in seen)
        self._missing = set(self._compared)
        self._expected: set[str] = set()
        self._failures = Counter[str]()
        self._wanted = WANTED
        self._good = 0
        self._vain = 0  # prompts without a text, which most processors refuse
        # Fitting prompts with several items that ended for lack of some, until one went through: a counter
        # that skips items gives each its own only where there is one.
        self._lacking = 0
        self._past = (
            0  # prompts with one that did not come to what is compared, as where items stand alone
        )

    def expect(self, kinds: Iterable[Collection[str]]) -> None:
        """Have each of some placeholders, told by their kinds, be replaced once."""
        self._expected = {token for several in kinds for token in several}
        self._wanted = WANTED + MORE * (len(self._expected) - 1)

    def skips(self, number: int) -> bool:
        """Whether a prompt is of a kind that has shown nothing, where others have."""
        without = self._vain > 2 if has_no_text(number) else self._past >= PAST
        return bool(self._good) and without

    def is_comparable(self, prompt: Prompt, before: Outcome) -> bool:
        """Count what the old version did; it is not compared in a world in which shapes do not fit together."""
        if has_no_text(prompt.number):
            self._vain += 1 if before.raised else -MOST_RUNS
        else:
            self._past += 1 if before.reached.isdisjoint(self._compared) else -MOST_RUNS
        if before.raised in LACK and prompt.fits:
            self._lacking += prompt.items > 1
            return False
        return True

    def gives_up(self, number: int, reason: str) -> bool:
        """Count a prompt that cannot be followed, and tell whether there were too many of these."""
        self._vain += has_no_text(number)
        self._failures[reason] += 1
        return self._failures[reason] > 12 and not self._good

    def add(self, prompt: Prompt, before: Outcome, after: Outcome) -> None:
        """Count a prompt on which both versions did the same."""
        self._expected -= after.replaced
        if before.raised:
            return
        if prompt.fits and prompt.items > 1 and after.replaced:
            self._lacking = -MOST_RUNS
        if before.reached & self._missing:
            self._missing -= before.reached
            self._good += 1
        else:
            self._good += any(id(node) in before.reached for node in self._seen)

    @property
    def is_enough(self) -> bool:
        """Whether enough prompts agree, with all that has to run and to be replaced."""
        pending = self._missing or self._expected or self._lacking > 0
        return self._good >= self._wanted and not pending

    @property
    def lack(self) -> str:
        """Why the prompts are not enough, when there are no more."""
        if self._failures and not self._good:
            return f"it cannot be followed: {self._failures.most_common(1)[0][0]}"
        lines = sorted(node.lineno for node in self._seen if id(node) in self._missing)
        where = f"; line {lines[0]} never ran" if lines else ""
        if self._lacking > 0 and not lines:
            where = "; none with several items did"
        if self._expected and not lines:
            where = f"; {min(self._expected)} was never replaced"
        return f"{TOO_FEW} went through it to compare ({self._good} of {self._wanted}){where}"
