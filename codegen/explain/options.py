"""The command line of `explain`, `impact` and `graph`; what they need is loaded when they run."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from codegen.console.commands import Commands, add_command
from codegen.errors import fail

if TYPE_CHECKING:
    from codegen.explain.atlas import Atlas
    from codegen.run.outcome import Run
    from codegen.run.sync import Options
    from codegen.trees.tree import Tree

Paint = Callable[[str, str], str]
Progress = Callable[[str, int, int], None]


def add_explain(commands: Commands) -> None:
    """Declare the three commands."""
    explain = _command(
        commands,
        "explain",
        "tell where lines of generated files come from",
        "Tell where a line of a generated file was written, what was done to it on the way, where "
        "to change it, and which other files have it. Without a target a traceback is read from "
        "standard input, and each of its frames is told so.",
        "python -m codegen explain generated/qwen2_vl/modeling_qwen2_vl.py:120",
        "python -m codegen explain generated/qwen2_vl/modeling_qwen2_vl.py:Qwen2VLModel.forward",
        "python train.py 2>&1 | python -m codegen explain",
    )
    explain.add_argument(
        "targets", nargs="*", metavar="TARGET", help="FILE:LINE or FILE:CLASS.METHOD"
    )
    impact = _command(
        commands,
        "impact",
        "tell which models an edit of a definition changes",
        "Tell which models an edit of a model, class or method really changes: those in whose "
        "generated files something of it stands, with the way that it takes there.",
        "python -m codegen impact llama.LlamaAttention.forward",
        "python -m codegen impact qwen2_vl --why glm4v",
    )
    impact.add_argument("names", nargs="+", metavar="MODEL[.CLASS[.METHOD]]")
    impact.add_argument("--why", metavar="MODEL", help="only why this model depends on it")
    graph = _command(
        commands,
        "graph",
        "show which models and classes are made of which",
        "Show which models are made of which, class by class, with the lines that each takes.",
        "python -m codegen graph --html models.html",
        "python -m codegen graph --format dot | dot -Tsvg > models.svg",
        formats=("dot", "json"),
    )
    graph.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page that needs no network"
    )
    for each in (explain, impact):
        each.add_argument("--all", action="store_true", help="list everything, however long")


def _command(
    commands: Commands,
    name: str,
    summary: str,
    description: str,
    *examples: str,
    formats: tuple[str, ...] = ("text", "json"),
) -> argparse.ArgumentParser:
    command = add_command(commands, name, summary, description, *examples)
    command.add_argument(
        "--root", type=Path, metavar="DIR", help="the tree (default: the enclosing one)"
    )
    command.add_argument("--rewrite", action="store_true", help="with the rewrite passes")
    command.add_argument(
        "--no-cache", action="store_true", help="neither use nor keep what is known"
    )
    command.add_argument(
        "--format", choices=formats, default=formats[0], help=f"how to report ({formats[0]})"
    )
    command.add_argument(
        "--json", action="store_const", const="json", dest="format", help="like --format json"
    )
    return command


def answer(arguments: argparse.Namespace, paint: Paint, progress: Progress) -> Iterator[str]:
    """What a command prints, in pieces of whole lines."""
    if arguments.command == "explain":
        return _explain(arguments, paint, progress)
    return iter(
        [(_impact if arguments.command == "impact" else _graph)(arguments, paint, progress)]
    )


def _explain(arguments: argparse.Namespace, paint: Paint, progress: Progress) -> Iterator[str]:
    from codegen.explain.command import Asked, explain_targets, explain_traceback

    asked = Asked(arguments.root, arguments.rewrite, not arguments.no_cache, progress)
    as_json = arguments.format == "json"
    if arguments.targets:
        return explain_targets(asked, arguments.targets, as_json, paint, arguments.all)
    if sys.stdin is None or sys.stdin.isatty():
        hint = "give FILE:LINE or FILE:CLASS.METHOD, or pipe a traceback in"
        raise fail("explain-target", "nothing to explain", "", 0, hint)
    return explain_traceback(asked, _read_log(), as_json, paint)


def _read_log() -> str:
    """All of standard input; what is no text in it is shown as Python would."""
    if not hasattr(sys.stdin, "buffer"):
        return sys.stdin.read()
    return sys.stdin.buffer.read().decode("utf-8", "backslashreplace")


def _impact(arguments: argparse.Namespace, paint: Paint, progress: Progress) -> str:
    from codegen.explain.impact import check_model, find_subjects, impact_of
    from codegen.explain.show_impact import show_impact, show_way

    atlas = _atlas(arguments, progress)
    if arguments.why:
        check_model(atlas, arguments.why)
    found = {name: impact_of(atlas, find_subjects(atlas, name)) for name in arguments.names}
    if arguments.format == "json":
        return json.dumps({name: asdict(impact) for name, impact in found.items()}, indent=2)
    lines: list[str] = []
    for name, impact in found.items():
        lines += [""] if lines else []
        if arguments.why:
            lines += show_way(name, arguments.why, impact, paint)
        else:
            lines += show_impact(name, impact, paint, arguments.all)
    return "\n".join(lines)


def _graph(arguments: argparse.Namespace, paint: Paint, progress: Progress) -> str:
    from codegen.graph.build import as_data, as_dot, build_graph
    from codegen.graph.page import as_html

    atlas = _atlas(arguments, progress)
    graph = build_graph(atlas)
    if arguments.html is not None:
        title = f"models of {atlas.tree.root.name}"
        if atlas.tree.version:
            title = f"models of transformers {atlas.tree.version}"
        arguments.html.write_text(as_html(graph, title), encoding="utf-8")
        return f"written {arguments.html}"
    return json.dumps(as_data(graph), indent=2) if arguments.format == "json" else as_dot(graph)


def write_maps(tree: Tree, run: Run, options: Options) -> list[str]:
    """Write the source maps of what a run has found in order or put in order; their paths."""
    from codegen.explain.atlas import Atlas, Settings
    from codegen.explain.sourcemap import write_source_maps

    settings = Settings(options.rewrite, options.cache, options.jobs, options.progress)
    known = {item.model for item in tree.definitions}
    right = (item for item in run.outcomes if not item.problems and not item.blocked_by)
    return write_source_maps(Atlas(tree, settings), [i.model for i in right if i.model in known])


def _atlas(arguments: argparse.Namespace, progress: Progress) -> Atlas:
    from codegen.explain.atlas import Atlas, Settings
    from codegen.trees.tree import open_tree

    tree = open_tree(arguments.root, None)
    rewrite = arguments.rewrite or tree.config.rewrite
    return Atlas(tree, Settings(rewrite, not arguments.no_cache, 0, progress))
