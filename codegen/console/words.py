"""The word for a model's state, and differences of files, shared by text and JSON."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from codegen.run.outcome import FileOutcome, ModelOutcome, State
from codegen.text.lines import split_lines


def word_of(item: ModelOutcome) -> str:
    """The state of a model in one word or two."""
    if item.problems:
        return "error"
    if item.blocked_by:
        return "skipped"
    worst = [file.state for file in item.files if file.state is not State.FRESH]
    return (worst[0] if worst else State.FRESH).value


def count_changes(file: FileOutcome) -> tuple[int, int]:
    """Lines that `sync` adds to a file and removes from it."""
    if file.old == file.new or file.state is State.ENDINGS:
        return 0, 0
    added = removed = 0
    for line in diff_lines(file):
        added += line.startswith("+") and not line.startswith("+++")
        removed += line.startswith("-") and not line.startswith("---")
    return added, removed


def shown_changes(file: FileOutcome) -> str:
    """The same as diff tools print it; nothing for a file that comes or goes as a whole."""
    added, removed = count_changes(file)
    known = file.old is not None and file.new is not None and (added or removed)
    return f" (+{added} -{removed})" if known else ""


def diff_lines(file: FileOutcome) -> Sequence[str]:
    """A unified difference of what is there and what should be."""
    return list(
        difflib.unified_diff(
            split_lines(file.old or ""),
            split_lines(file.new or ""),
            f"a/{file.path}" if file.old is not None else "/dev/null",
            f"b/{file.path}" if file.new is not None else "/dev/null",
        )
    )


def plain_value(value: Any) -> Any:
    """The value of a rule as JSON has it: names in order, truth, or a word."""
    return sorted(value) if isinstance(value, (tuple, frozenset)) else value
