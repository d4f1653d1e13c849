"""The command line; the only module that prints or decides exit codes."""

from __future__ import annotations

import argparse
import gc
import io
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

from codegen.arguments import build_parser
from codegen.errors import CodegenError, Diagnostic, RunStopped, fail
from codegen.explain.options import answer, write_maps
from codegen.store.system import Interrupted, ending_on_signals

EXIT_OK, EXIT_DIFFERS, EXIT_ERROR = 0, 1, 2
#: As shells report a process that ended by a signal: this and the signal's number.
EXIT_SIGNAL = 128
EXIT_BROKEN_PIPE = EXIT_SIGNAL + 13


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 in sync, 1 out of sync, 2 error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack what sources contain
            stream.reconfigure(errors="backslashreplace")
    options = build_parser().parse_args(arguments)
    try:
        with ending_on_signals(_say_interrupted), warnings.catch_warnings():
            # Python's remarks about the sources that we parse are for their authors.
            warnings.simplefilter("ignore")
            try:
                return _guarded(options)
            except KeyboardInterrupt as interrupt:
                _say_interrupted()
                number = interrupt.number if isinstance(interrupt, Interrupted) else signal.SIGINT
                return EXIT_SIGNAL + number
    except BrokenPipeError:
        # Whoever read our output has gone; what is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE


def _say_interrupted() -> None:
    print("interrupted; models that were not complete are unchanged", file=sys.stderr, flush=True)


def _guarded(options: argparse.Namespace) -> int:
    """Run the command and report what it raises, our own defects included."""
    from codegen.console.text import report_failure

    try:
        code = _run(options)
        sys.stdout.flush()
        return code
    except (CodegenError, RunStopped) as error:
        report_failure(error.diagnostics, options)
    except BrokenPipeError:
        raise
    except Exception as error:
        # An exit code of 1 would read as "out of sync".
        if options.format != "json":
            traceback.print_exc()
        message = f"{type(error).__name__}: {error}"
        report_failure([Diagnostic("internal", message, None, "please report this")], options)
    return EXIT_ERROR


def _run(arguments: argparse.Namespace) -> int:
    # A short process that makes few reference cycles: collecting them costs more than it frees.
    gc.disable()
    if arguments.command == "verify":
        return _verify(arguments)
    if arguments.command == "review":
        return _review(arguments)
    if arguments.command in ("explain", "impact", "graph"):
        return _answer(arguments)
    if arguments.command in ("init", "schema"):
        return _init(arguments) if arguments.command == "init" else _schema(arguments)
    from codegen.console.progress import show_progress
    from codegen.console.text import Reporter
    from codegen.run.sync import Options, check, sync
    from codegen.trees.tree import open_tree

    tree = open_tree(arguments.root, arguments.output)
    with show_progress(arguments.quiet or arguments.format == "json") as progress:
        options = Options(
            arguments.jobs,
            not arguments.no_cache,
            getattr(arguments, "force", False),
            arguments.rewrite or tree.config.rewrite,
            progress=progress,
            staging=arguments.command == "check",
        )
        run = (sync if arguments.command == "sync" else check)(tree, arguments.models, options)
        if getattr(arguments, "source_map", False):
            maps = write_maps(tree, run, options)
            print(f"{len(maps)} source maps written", file=sys.stderr)
    reporter = Reporter(tree, run, arguments)
    reporter.report()
    if run.problems:
        return EXIT_ERROR
    if arguments.command == "check" and not all(item.in_sync for item in run.outcomes):
        return EXIT_DIFFERS
    return EXIT_OK


def _verify(arguments: argparse.Namespace) -> int:
    import json
    from dataclasses import asdict

    if arguments.definitions:
        return _verify_definitions(arguments)
    if arguments.processors:
        return _verify_processors(arguments)
    from codegen.console.progress import show_progress
    from codegen.run.verification import verify_tree
    from codegen.verify import format_table

    with show_progress(arguments.format == "json") as progress:
        results, absent = verify_tree(arguments, progress)
    if arguments.format == "json":
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        print(format_table(results, absent))
    return EXIT_OK if results and all(result.ok for result in results) else EXIT_DIFFERS


def _verify_processors(arguments: argparse.Namespace) -> int:
    import json
    from dataclasses import asdict

    from codegen.console.progress import show_progress
    from codegen.run.verification import verify_processors
    from codegen.verify.processors import format_processors

    with show_progress(arguments.format == "json") as progress:
        results = verify_processors(arguments, progress)
    if arguments.format == "json":
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        print(format_processors(results))
    compared = any(result.built for result in results)
    return EXIT_OK if compared and all(result.ok for result in results) else EXIT_DIFFERS


def _verify_definitions(arguments: argparse.Namespace) -> int:
    import json

    from codegen.console.progress import show_progress
    from codegen.run.definition_checks import check_definitions
    from codegen.verify.definitions.report import as_data, format_definitions

    with show_progress(arguments.format == "json") as progress:
        results = check_definitions(
            arguments.root, arguments.models, arguments.jobs, True, progress
        )
    if arguments.format == "json":
        print(json.dumps(as_data(results), indent=2))
    else:
        print(format_definitions(results))
    return EXIT_OK if all(result.ok for result in results) else EXIT_DIFFERS


def _review(arguments: argparse.Namespace) -> int:
    from codegen.console.pager import show
    from codegen.console.progress import show_progress
    from codegen.console.text import paint
    from codegen.review.command import run_review

    with show_progress(arguments.format != "text") as progress:
        answer = run_review(arguments, paint, progress)
    if arguments.html is not None:
        try:
            arguments.html.write_text(answer.html, encoding="utf-8")
        except OSError as error:
            reason = error.strerror or str(error)
            raise fail("no-page", f"{arguments.html} cannot be written: {reason}") from None
        print(f"written {arguments.html}", file=sys.stderr)
    if arguments.format == "text" and not arguments.no_pager:
        show(answer.text)
    else:
        print(answer.text, end="")
    return answer.code


def _answer(arguments: argparse.Namespace) -> int:
    from codegen.console.progress import show_progress
    from codegen.console.text import paint

    with show_progress(arguments.format == "json") as progress:
        told = False

        def tell(doing: str, done: int, total: int) -> None:
            if not told:  # a bar would stand among the lines
                progress(doing, done, total)

        pieces = answer(arguments, paint, tell)
        first = next(pieces)
        told = True
    print(first, flush=True)
    for piece in pieces:
        print(piece, flush=True)
    return EXIT_OK


def _init(arguments: argparse.Namespace) -> int:
    from codegen.run.init import init_project

    for path in init_project(arguments.root, arguments.model):
        print(f"written {path}")
    root = "" if arguments.root == Path() else f" --root {arguments.root}"
    print(f"next: python -m codegen sync{root}")
    return EXIT_OK


def _schema(arguments: argparse.Namespace) -> int:
    import json

    from codegen.explain.schema import explain_schema, graph_schema, impact_schema
    from codegen.review.as_data import review_schema
    from codegen.trees.schema import SCHEMAS

    schemas = {
        **SCHEMAS,
        "review": review_schema,
        "explain": explain_schema,
        "impact": impact_schema,
        "graph": graph_schema,
    }
    print(json.dumps(schemas[arguments.subject](), indent=2))
    return EXIT_OK
