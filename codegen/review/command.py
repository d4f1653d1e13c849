"""``python -m codegen review``: its arguments, and what it has to say. Printing is the caller's."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codegen.console.commands import Commands, add_command
from codegen.errors import fail
from codegen.review.kinds import RISKS

if TYPE_CHECKING:
    from codegen.review.build import Question
    from codegen.review.model import Change, Report


EXIT_OK, EXIT_FAILED_ON = 0, 3
_SPECIAL = ("unexplained", "stale", "any")


@dataclass(frozen=True, slots=True)
class Answer:
    """What to print, what to write into a file, and the exit code."""

    text: str
    code: int
    html: str = ""


def add_review(commands: Commands) -> None:
    """Declare the command."""
    command = add_command(
        commands,
        "review",
        "what an edit of definitions does, each change once, with its risks",
        "Compare two states of a tree: definitions, and the generated files that they "
        "reach, folded so that each change is read once. By default HEAD against the work tree.",
        "python -m codegen review",
        "python -m codegen review main --html review.html --fail-on state-dict",
        "python -m codegen review --against ~/transformers-next --format md",
    )
    command.add_argument("states", nargs="*", metavar="BASE [HEAD]", help="git refs, or folders")
    command.add_argument(
        "--root", type=Path, metavar="DIR", help="the tree (default: the enclosing project)"
    )
    command.add_argument(
        "--against", type=Path, metavar="DIR", help="a second release: what moving to it changes"
    )
    command.add_argument(
        "--format", choices=("text", "json", "md", "github"), default="text", help="how to report"
    )
    command.add_argument("--html", type=Path, metavar="FILE", help="write a page to read and click")
    _add_narrowing(command)
    command.add_argument(
        "--synced", action="store_true", help="review what sync would write, not what is there"
    )
    command.add_argument(
        "--verify", action="store_true", help="compare state dicts of built models"
    )
    command.add_argument(
        "--rewrite", action="store_true", help="the files were written with the rewrite passes"
    )
    command.add_argument("--jobs", type=int, default=0, metavar="N", help="worker processes")
    command.add_argument("--no-cache", action="store_true", help="ignore and keep the cache as is")
    command.add_argument("--no-pager", action="store_true", help="print without a pager")


def _add_narrowing(command: argparse.ArgumentParser) -> None:
    """What is shown of a review, and what makes it fail."""
    command.add_argument("--show", metavar="2A", help="only this change, or this variant of it")
    command.add_argument("--model", metavar="NAME", help="only what concerns this model")
    command.add_argument(
        "--risk", metavar="KIND", help="only risks of this kind, and their changes"
    )
    command.add_argument(
        "--fail-on",
        metavar="KIND,...",
        default="",
        help=f"exit 3 if there is one: {', '.join((*_SPECIAL, *RISKS))}",
    )


def run_review(
    arguments: argparse.Namespace, paint: Callable[[str, str], str], progress: Callable[..., None]
) -> Answer:
    """Make the report and word it. Raises CodegenError for what cannot be compared."""
    wanted = _checked_kinds(arguments)
    whole, question = _make(arguments, progress)
    report = _narrowed(whole, arguments)
    code = EXIT_FAILED_ON if found_kinds(report) & wanted else EXIT_OK
    html = ""
    if arguments.html is not None:
        from codegen.review.as_html import format_html

        html = format_html(report)
    return Answer(_worded(report, question, arguments, paint), code, html)


def _make(arguments: argparse.Namespace, progress: Callable[..., None]) -> tuple[Report, Question]:
    from codegen.review.ask import Asked, make_question
    from codegen.review.build import build_report
    from codegen.run.sync import Options

    options = Options(
        arguments.jobs, not arguments.no_cache, rewrite=arguments.rewrite, progress=progress
    )
    states = tuple(arguments.states)
    if len(states) > 2:
        raise fail("usage", "at most two states can be compared: BASE and HEAD")
    asked = Asked(states, arguments.root, arguments.against, arguments.synced)
    question = make_question(asked, options)
    report = build_report(question)
    if arguments.verify:
        from codegen.review.built import with_built

        report = with_built(report, question)
    return report, question


def _worded(
    report: Report,
    question: Question,
    arguments: argparse.Namespace,
    paint: Callable[[str, str], str],
) -> str:
    from codegen.review import as_text

    if arguments.show:
        change, letter = _shown(report, arguments.show)
        if arguments.format == "text":
            return as_text.format_shown(change, letter, paint)
        from codegen.review.narrow import about_change

        report = about_change(report, change.number, letter)
    if arguments.format == "json":
        from codegen.review.as_data import format_json

        return format_json(report)
    if arguments.format == "md":
        from codegen.review.as_markdown import format_markdown

        return format_markdown(report)
    if arguments.format == "github":
        from codegen.review.as_annotations import format_annotations
        from codegen.trees.history import History

        return format_annotations(report, History(question.tree.root).prefix)
    return as_text.format_text(report, paint)


def _shown(report: Report, what: str) -> tuple[Change, str]:
    """The change that ``--show`` names, with the letter of a variant."""
    from codegen.review.as_text import named_change

    found = named_change(report, what)
    if found is None:
        count = len(report.changes)
        hint = f"there are 1 to {count}, with letters such as 1A" if count else "there is none"
        raise fail("unknown-change", f"no change {what!r}", "", 0, hint)
    return found


def _checked_kinds(arguments: argparse.Namespace) -> set[str]:
    kinds = {kind.strip() for kind in arguments.fail_on.split(",") if kind.strip()}
    asked = [arguments.risk] if arguments.risk else []
    for names, known in ((asked, (*RISKS,)), (sorted(kinds), (*_SPECIAL, *RISKS))):
        unknown = [name for name in names if name not in known]
        if unknown:
            hint = f"known kinds: {', '.join(known)}"
            raise fail("unknown-kind", f"no kind of risk: {', '.join(unknown)}", "", 0, hint)
    return kinds


def found_kinds(report: Report) -> set[str]:
    """What ``--fail-on`` can name of a report."""
    kinds = {risk.kind for risk in report.risks}
    kinds |= {"any"} if kinds or report.unexplained else set()
    kinds |= {"unexplained"} if report.unexplained else set()
    return kinds | ({"stale"} if report.stale else set())


def _narrowed(report: Report, arguments: argparse.Namespace) -> Report:
    from codegen.review.narrow import about_model, about_risk

    if arguments.model:
        report = about_model(report, arguments.model)
    if arguments.risk:
        report = about_risk(report, arguments.risk)
    return report
