"""Outcomes for tools: the values that ``--format json`` prints."""

from __future__ import annotations

from codegen.console.words import count_changes, diff_lines, plain_value, word_of
from codegen.errors import Diagnostic
from codegen.run.outcome import FileOutcome, ModelOutcome, Rules, Run
from codegen.trees.dialect import NEWEST_RELEASE, OLDEST_RELEASE


def make_report(command: str, root: str, run: Run, diffs: bool) -> dict[str, object]:
    """The report of one command; ``diffs`` adds the difference of every file."""
    return {
        "command": command,
        "root": root,
        "seconds": round(run.seconds, 3),
        "models": [_model(item, run, diffs) for item in run.outcomes],
        "rules": _rules(run.rules),
        "notes": list(run.notes),
        "problems": [_problem(problem) for problem in run.problems],
        "dependents": list(run.dependents),
        "rewrites": [dict(record) for record in run.report],
    }


def _file(file: FileOutcome, run: Run, diffs: bool) -> dict[str, object]:
    added, removed = count_changes(file)
    return {
        "path": file.path,
        "state": file.state.value,
        "added": added,
        "removed": removed,
        "copy": run.copies.get(file.path),
        **({"diff": "".join(diff_lines(file))} if diffs else {}),
    }


def _rules(rules: Rules | None) -> dict[str, object] | None:
    """The rules of a library's tree; None for a project, which has all of them."""
    if rules is None:
        return None
    oldest, newest = (".".join(map(str, release)) for release in (OLDEST_RELEASE, NEWEST_RELEASE))
    return {
        "release": rules.release,
        "oldest_known": oldest,
        "newest_known": newest,
        "shown": [
            {"rule": name, "value": plain_value(value), "files": files}
            for name, (value, files) in rules.shown.items()
        ],
        "files": rules.files,
        "unexplained": list(rules.unexplained),
        "unknown": rules.unknown,
    }


def _model(item: ModelOutcome, run: Run, diffs: bool) -> dict[str, object]:
    return {
        "model": item.model,
        "definition": item.definition,
        "state": word_of(item),
        "files": [_file(file, run, diffs) for file in item.files],
        "written": list(run.written.get(item.model, ())),
        "parents": list(item.parents),
        "lines": {"definition": item.lines[0], "generated": item.lines[1]},
        "warnings": list(item.warnings),
        "expanded": item.expanded,
        "blocked_by": item.blocked_by or None,
    }


def _problem(problem: Diagnostic) -> dict[str, object]:
    return {
        "code": problem.code,
        "message": problem.message,
        "path": problem.location.path if problem.location else None,
        "line": problem.location.line if problem.location else None,
        "hint": problem.hint or None,
    }
