"""The words for states, and differences of files, shared by text and JSON."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from codegen.run.outcome import FileOutcome, ModelOutcome, State
from codegen.text.lines import split_lines

WORDS = {
    State.STALE: "out of date",
    State.MISSING: "missing",
    State.EDITED: "edited by hand",
    State.ORPHAN: "no longer generated",
    State.FOREIGN: "not a generated file",
    State.FRESH: "in sync",
}


def word_of(item: ModelOutcome) -> str:
    """The state of a model in one word or two."""
    if item.problems:
        return "error"
    if item.blocked_by:
        return "skipped"
    worst = [file.state for file in item.files if file.state is not State.FRESH]
    return WORDS[worst[0]] if worst else "in sync"


def count_changes(file: FileOutcome) -> str:
    """Added and removed lines, as diff tools print them."""
    if file.old is None or file.new is None:
        return ""
    added = removed = 0
    for line in diff_lines(file):
        added += line.startswith("+") and not line.startswith("+++")
        removed += line.startswith("-") and not line.startswith("---")
    return f" (+{added} -{removed})"


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
