"""Word outcomes for people: text, coloured on a terminal."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from codegen.console.as_json import make_report
from codegen.console.rewrite_table import format_rewrites
from codegen.console.words import diff_lines, plain_value, shown_changes, word_of
from codegen.errors import Diagnostic
from codegen.run.outcome import FileOutcome, ModelOutcome, Run, State
from codegen.trees.tree import Tree

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}


def paint(text: str, colour: str, stream: object = None) -> str:
    """Colour a text if the stream (standard output by default) is a terminal that wants it."""
    target = stream or sys.stdout
    wanted = getattr(target, "isatty", lambda: False)() and "NO_COLOR" not in os.environ
    return f"\033[{_COLOURS[colour]}m{text}\033[0m" if wanted else text


def report_failure(problems: Sequence[Diagnostic], arguments: argparse.Namespace) -> None:
    """Report a command that came to nothing, as JSON with the keys of any other report."""
    if arguments.format != "json":
        report_problems(problems)
        return
    run = Run((ModelOutcome("", "", problems=tuple(problems)),))
    report = make_report(arguments.command, str(arguments.root or ""), run, False)
    print(json.dumps({**report, "models": []}, indent=2))


def report_problems(problems: Iterable[Diagnostic]) -> None:
    """Problems on standard error."""
    for problem in problems:
        place = f"{problem.location}: " if problem.location else ""
        label = paint(f"error[{problem.code}]", "red", sys.stderr)
        print(f"{place}{label}: {problem.message}", file=sys.stderr)
        if problem.hint:
            print(f"  {paint('hint:', 'cyan', sys.stderr)} {problem.hint}", file=sys.stderr)


class Reporter:
    """Reports one run of one command."""

    def __init__(self, tree: Tree, run: Run, arguments: argparse.Namespace) -> None:
        self.tree, self.run, self.arguments = tree, run, arguments

    def report(self) -> None:
        """Print the report in the chosen style."""
        if self.arguments.format == "json":
            command, root = self.arguments.command, str(self.tree.root)
            diffs = command == "check" and self.arguments.diff
            print(json.dumps(make_report(command, root, self.run, diffs), indent=2))
            return
        # What a check says is what it was asked for; beside a list, or what was written, it is not.
        stream = sys.stdout if self.arguments.command == "check" else sys.stderr
        for note in self.run.notes:
            print(f"{paint('note', 'yellow', stream)}: {note}", file=stream)
        if self.arguments.command == "list":
            self._list()
        elif self.arguments.command == "check":
            self._check()
        else:
            self._sync()
        report_problems(self.run.problems)
        for item in self.run.outcomes:
            if item.blocked_by and not self.arguments.quiet:
                print(
                    f"{item.definition}: skipped, it is built from {item.blocked_by}",
                    file=sys.stderr,
                )

    def _sync(self) -> None:
        arguments = self.arguments
        if arguments.quiet:
            return
        self._warnings()
        count = 0
        for item in self.run.outcomes:
            for path in self.run.written.get(item.model, ()):
                file = next(file for file in item.files if file.path == path)
                word = {State.ORPHAN: "removed", State.MISSING: "created"}.get(
                    file.state, "updated"
                )
                print(f"{paint(word, 'green')} {path}{shown_changes(file)}{self._kept(file)}")
                count += 1
            for file in item.files if arguments.verbose else ():
                if file.state is State.FRESH:
                    print(f"unchanged {file.path}")
        files = sum(len(item.files) for item in self.run.outcomes)
        fresh = sum(file.state is State.FRESH for item in self.run.outcomes for file in item.files)
        refused = f", {files - count - fresh} not written" if files - count - fresh else ""
        if arguments.rewrite or (arguments.verbose and self.run.report):
            for line in format_rewrites(self.run.report, paint):
                print(line)
        seconds = f"{self.run.seconds:.1f} s"
        total = f"{_plural(files, 'file')} of {_plural(len(self.run.outcomes), 'model')}"
        print(f"{count} written, {fresh} unchanged{refused} ({total}, {seconds})")
        if self.run.dependents:
            names = " ".join(self.run.dependents)
            print(f"built from these, not looked at: run `{self._command('sync')} {names}`")

    def _kept(self, file: FileOutcome) -> str:
        """Where what was there can be found."""
        if file.path in self.run.copies:
            return f", what was there is kept as {self.run.copies[file.path]}"
        if file.state is State.ORPHAN and file.committed:
            return f", to undo: git restore {shlex.quote(file.path)}"
        return ""

    def _check(self) -> None:
        found = [(item, file) for item in self.run.outcomes for file in item.files]
        changed = [(item, file) for item, file in found if file.state is not State.FRESH]
        self._warnings()
        for _, file in found if self.arguments.verbose else changed:
            if file.state is State.FRESH:
                print(f"{file.path}: {file.state.value}")
                continue
            print(f"{file.path}: {paint(file.state.value, 'yellow')}{shown_changes(file)}")
            if self.arguments.diff:
                sys.stdout.writelines(diff_lines(file))
        unstaged = [file.path for _, file in changed if file.state is State.UNSTAGED]
        outdated = [item for item, file in changed if file.state is not State.UNSTAGED]
        if unstaged:
            print(f"run `git add {' '.join(map(shlex.quote, unstaged))}`")
        if outdated:
            models = " ".join(dict.fromkeys(item.model for item in outdated if item.definition))
            print(f"run `{self._command('sync')}{' ' if models else ''}{models}`")
        if changed:
            return
        if not self.arguments.quiet and not self.run.problems:
            files = sum(len(item.files) for item in self.run.outcomes)
            print(f"{_plural(files, 'file')} in sync ({self.run.seconds:.1f} s)")

    def _warnings(self) -> None:
        """Warnings of a project are always shown; notes, and a library's, only on demand."""
        arguments = self.arguments
        always = self.tree.kind == "project" and not arguments.quiet
        for item in self.run.outcomes:
            for warning in item.warnings:
                label, _, text = warning.partition(": ")
                if arguments.verbose or (always and label == "warning"):
                    print(f"{paint(label, 'yellow')}: {text}")

    def _command(self, name: str) -> str:
        parts = ["python -m codegen", name]
        if self.arguments.root:
            parts.append(f"--root {shlex.quote(str(self.arguments.root))}")
        if self.arguments.output:
            parts.append(f"--output {shlex.quote(str(self.arguments.output))}")
        if self.arguments.rewrite:
            parts.append("--rewrite")
        return " ".join(parts)

    def _list(self) -> None:
        self._warnings()
        rows = [("MODEL", "STATE", "LINES", "SAVED", "FILES", "PARENTS")]
        saved = 0
        for item in self.run.outcomes:
            definition, generated = item.lines
            saved += generated - definition
            files = ", ".join(PurePosixPath(file.path).name for file in item.files)
            rows.append(
                (
                    item.model,
                    word_of(item),
                    f"{definition}/{generated}",
                    str(generated - definition),
                    files,
                    ", ".join(_parent_names(item)),
                )
            )
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for index, row in enumerate(rows):
            cells = [row[column].ljust(widths[column]) for column in range(4)]
            line = "  ".join([*cells, row[4], f"<- {row[5]}" if row[5] and index else row[5]])
            print(paint(line.rstrip(), "bold") if index == 0 else line.rstrip())
        print(f"{_plural(len(rows) - 1, 'model')}, {saved} lines saved")
        if self.arguments.verbose:
            self._rules()

    def _rules(self) -> None:
        """By which rules a library's tree was expanded."""
        rules = self.run.rules
        if rules is None:
            return
        print(f"rules: those of release {rules.release}{', except' if rules.shown else ''}")
        for name, (value, files) in rules.shown.items():
            shown = json.dumps(plain_value(value))
            print(f"  {name}: {shown} ({_plural(files, 'file')} show{'s' * (files == 1)} it)")


def _parent_names(item: ModelOutcome) -> list[str]:
    names = [PurePosixPath(path).stem for path in item.parents]
    return [name for name in names if not name.endswith(f"_{item.model}")]


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
