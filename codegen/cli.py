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

from codegen import __version__
from codegen.errors import CodegenError, Diagnostic, RunStopped, fail
from codegen.explain.options import add_explain, answer, write_maps
from codegen.review.command import add_review
from codegen.store.system import Interrupted, ending_on_signals

EXIT_OK, EXIT_DIFFERS, EXIT_ERROR = 0, 1, 2
#: As shells report a process that ended by a signal: this and the signal's number.
EXIT_SIGNAL = 128
EXIT_BROKEN_PIPE = EXIT_SIGNAL + 13

_EPILOG = """\
examples:
  python -m codegen sync                      regenerate what is out of date
  python -m codegen sync qwen2_vl             one model, and what it is built from
  python -m codegen check --diff              show what sync would change, write nothing
  python -m codegen review                    what an edit does, each change once, and its risks
  python -m codegen verify qwen2_vl           rewritten encoder against the original
  python -m codegen list                      models, parents, files, state
  python -m codegen explain FILE:LINE         where a generated line comes from
  python -m codegen impact llama.LlamaMLP     which models an edit there changes
  python -m codegen graph --html models.html  what is made of what
  python -m codegen sync --root ~/transformers --output /tmp/out
  python -m codegen init --model pebble_vl    begin in a repository of one's own
"""


def build_parser() -> argparse.ArgumentParser:
    """All commands and options."""
    parser = argparse.ArgumentParser(
        prog="python -m codegen",
        description="Expand modular model definitions into self-contained files.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"codegen {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary, example in (
        ("sync", "regenerate what is out of date", "python -m codegen sync llama --jobs 4"),
        ("check", "tell what is out of sync; exit 1 if anything is", "python -m codegen check"),
        ("list", "show models, parents, generated files and state", "python -m codegen list"),
    ):
        command = commands.add_parser(
            name,
            help=summary,
            description=summary.capitalize() + ".",
            epilog=f"example: {example}",
        )
        _add_common(command)
        command.add_argument(
            "--rewrite",
            action="store_true",
            help="run the rewrite passes first (a project can switch them on for good)",
        )
        if name == "sync":
            command.add_argument(
                "--force", action="store_true", help="overwrite files without our banner, too"
            )
            command.add_argument(
                "--source-map",
                action="store_true",
                help="write FILE.map beside each file: where its words were written",
            )
        if name == "check":
            command.add_argument("--diff", action="store_true", help="print unified diffs")
    _add_verify(commands)
    add_explain(commands)
    _add_init(commands)
    add_review(commands)
    return parser


def _add_init(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "init",
        help="write a [tool.codegen] table and a first definition",
        description="Write a [tool.codegen] table (into pyproject.toml) and a first definition.",
        epilog="example: python -m codegen init --model pebble_vl",
    )
    command.add_argument(
        "--root", type=Path, default=Path(), metavar="DIR", help="the repository (default: here)"
    )
    command.add_argument(
        "--model", default="pebble", metavar="NAME", help="of the first definition (pebble)"
    )
    schema = commands.add_parser(
        "schema",
        help="print the JSON schema of the table or of the reports",
        description="Print the JSON schema of the [tool.codegen] table, or of --format json.",
        epilog="example: python -m codegen schema report",
    )
    schema.add_argument(
        "subject", choices=("table", "report", "review", "explain", "impact", "graph")
    )
    for each in (command, schema):
        each.set_defaults(format="text")


def _add_verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "verify",
        help="compare rewritten encoders with their originals",
        description="Rewrite a transformers tree beside the original, run both with the same "
        "weights, and check default path (a), precomputed path (b), compile with (c) and without "
        "(e) precomputed tensors, dynamic export (d), and whole models (m).",
        epilog="example: python -m codegen verify qwen2_vl --attention sdpa --checks abc",
    )
    command.add_argument(
        "models", nargs="*", metavar="MODEL", help="cases or models (default: all)"
    )
    command.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="the tree (default: the installed transformers), or a project, with --cases",
    )
    command.add_argument(
        "--cases",
        type=Path,
        metavar="FILE",
        help="configurations of further models, such as those of a project (JSON)",
    )
    command.add_argument(
        "--definitions",
        action="store_true",
        help="compare the definitions of a project, as Python understands them, with what is "
        "generated from them before any pass",
    )
    command.add_argument(
        "--processors",
        action="store_true",
        help="compare processors with their originals on generated prompts, built without downloads",
    )
    command.add_argument(
        "--attention", nargs="+", choices=("eager", "sdpa"), default=["eager", "sdpa"]
    )
    command.add_argument(
        "--checks",
        type=_checks,
        default="abcdem",
        metavar="LETTERS",
        help="of abcdemopgx (default: abcdem); g and x: whole models as graphs",
    )
    command.add_argument(
        "--backend",
        default="inductor",
        help="of torch.compile (inductor; aot_eager is quicker and needs no C++ compiler)",
    )
    command.add_argument(
        "--scenarios",
        nargs="+",
        type=_scenario,
        default=(),
        metavar="NAME",
        help="prompts of g and x: image, video, both, batch, sound, film (default: all)",
    )
    command.add_argument(
        "--jobs",
        type=_jobs,
        default=0,
        metavar="N",
        help="models verified side by side (default: all cores, eight at most)",
    )
    command.add_argument("--format", choices=("text", "json"), default="text")


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "models", nargs="*", metavar="MODEL", help="model names or definition files (default: all)"
    )
    command.add_argument(
        "--root", type=Path, metavar="DIR", help="the tree (default: the enclosing project)"
    )
    command.add_argument(
        "--output", type=Path, metavar="DIR", help="write below DIR instead of in place"
    )
    command.add_argument(
        "--jobs", type=_jobs, default=0, metavar="N", help="worker processes (default: all cores)"
    )
    command.add_argument("--no-cache", action="store_true", help="ignore and keep the cache as is")
    command.add_argument(
        "--format", choices=("text", "json"), default="text", help="how to report (default: text)"
    )
    volume = command.add_mutually_exclusive_group()
    volume.add_argument("-q", "--quiet", action="store_true", help="only problems")
    volume.add_argument("-v", "--verbose", action="store_true", help="every file, and warnings")


def _scenario(name: str) -> str:
    from codegen.verify.scenarios import SCENARIOS

    if name not in SCENARIOS:
        raise argparse.ArgumentTypeError(f"choose among {', '.join(SCENARIOS)}")
    return name


def _checks(text: str) -> str:
    """Letters of checks, each of which there is."""
    unknown = sorted(set(text) - set("abcdemopgx"))
    if unknown or not text:
        raise argparse.ArgumentTypeError(
            f"no check is called {''.join(unknown)!r}: choose of abcdemopgx"
        )
    return text


def _jobs(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a positive number")
    return int(text)


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
