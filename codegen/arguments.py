"""The commands and options of the command line, and what stands in their help."""

from __future__ import annotations

import argparse
from pathlib import Path

from codegen import __version__
from codegen.console.commands import Commands, add_command
from codegen.explain.options import add_explain
from codegen.review.command import add_review

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
    _add_sync(commands)
    _add_verify(commands)
    add_explain(commands)
    _add_init(commands)
    _add_schema(commands)
    add_review(commands)
    return parser


def _add_sync(commands: Commands) -> None:
    """The commands that look at all of a tree, or at some of its models."""
    sync = add_command(
        commands,
        "sync",
        "regenerate what is out of date",
        "Regenerate what is out of date; what is up to date is left alone.",
        "python -m codegen sync",
        "python -m codegen sync llama --jobs 4",
        "python -m codegen sync --root ~/transformers --rewrite --output /tmp/out",
    )
    sync.add_argument(
        "--force", action="store_true", help="overwrite files without our banner, too"
    )
    sync.add_argument(
        "--source-map",
        action="store_true",
        help="write FILE.map beside each file: where its words were written",
    )
    check = add_command(
        commands,
        "check",
        "tell what is out of sync; exit 1 if anything is",
        "Tell what is out of sync, and write nothing; exit 1 if anything is.",
        "python -m codegen check",
        "python -m codegen check qwen2_vl --diff",
    )
    check.add_argument("--diff", action="store_true", help="print unified diffs")
    shown = add_command(
        commands,
        "list",
        "show models, parents, generated files and state",
        "Show models, parents, generated files and state.",
        "python -m codegen list",
        "python -m codegen list qwen2_vl --format json",
    )
    for each in (sync, check, shown):
        _add_common(each)


def _add_init(commands: Commands) -> None:
    command = add_command(
        commands,
        "init",
        "write a [tool.codegen] table and a first definition",
        "Write a [tool.codegen] table (into pyproject.toml) and a first definition.",
        "python -m codegen init --model pebble_vl",
        "python -m codegen init --root ../pebbles --model pebble_vl",
    )
    command.add_argument(
        "--root", type=Path, default=Path(), metavar="DIR", help="the repository (default: here)"
    )
    command.add_argument(
        "--model", default="pebble", metavar="NAME", help="of the first definition (pebble)"
    )
    command.set_defaults(format="text")


def _add_schema(commands: Commands) -> None:
    schema = add_command(
        commands,
        "schema",
        "print the JSON schema of the table or of the reports",
        "Print the JSON schema of the [tool.codegen] table, or of --format json.",
        "python -m codegen schema table",
        "python -m codegen schema report",
    )
    schema.add_argument(
        "subject", choices=("table", "report", "review", "explain", "impact", "graph")
    )
    schema.set_defaults(format="text")


def _add_verify(commands: Commands) -> None:
    command = add_command(
        commands,
        "verify",
        "compare rewritten encoders with their originals",
        "Rewrite a transformers tree beside the original, run both with the same "
        "weights, and check default path (a), precomputed path (b), compile with (c) and without "
        "(e) precomputed tensors, dynamic export (d), and whole models (m).",
        "python -m codegen verify qwen2_vl --attention sdpa --checks abc",
        "python -m codegen verify --definitions --root .",
        "python -m codegen verify --processors qwen2_vl",
    )
    _add_subjects(command)
    _add_checks(command)
    command.add_argument(
        "--jobs",
        type=_jobs,
        default=0,
        metavar="N",
        help="models verified side by side (default: all cores, eight at most)",
    )
    command.add_argument("--format", choices=("text", "json"), default="text")


def _add_subjects(command: argparse.ArgumentParser) -> None:
    """What is compared: encoders of a tree, of a project, definitions, or processors."""
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


def _add_checks(command: argparse.ArgumentParser) -> None:
    """In which ways encoders and whole models are compared."""
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
    command.add_argument(
        "--rewrite",
        action="store_true",
        help="run the rewrite passes first (a project can switch them on for good)",
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
