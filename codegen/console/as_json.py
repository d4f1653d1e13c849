"""Outcomes for tools: the values that ``--format json`` prints."""

from __future__ import annotations

from codegen.console.words import diff_lines, word_of
from codegen.errors import Diagnostic
from codegen.run.outcome import FileOutcome, ModelOutcome, Run


def make_report(command: str, root: str, run: Run, diffs: bool) -> dict[str, object]:
    """The report of one command; ``diffs`` adds the difference of every file."""
    return {
        "command": command,
        "root": root,
        "seconds": round(run.seconds, 3),
        "models": [_model(item, run, diffs) for item in run.outcomes],
        "notes": list(run.notes),
        "problems": [_problem(problem) for problem in run.problems],
        "dependents": list(run.dependents),
        "rewrites": [dict(record) for record in run.report],
    }


def _file(file: FileOutcome, diffs: bool) -> dict[str, str]:
    shown = {"path": file.path, "state": file.state.value}
    return {**shown, "diff": "".join(diff_lines(file))} if diffs else shown


def _model(item: ModelOutcome, run: Run, diffs: bool) -> dict[str, object]:
    return {
        "model": item.model,
        "definition": item.definition,
        "state": word_of(item),
        "files": [_file(file, diffs) for file in item.files],
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
