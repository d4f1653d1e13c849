"""Encoders of a rewritten release in other runtimes: those that between them use every helper and capture rule.

    python -m benchmarks.runtimes --release 5.8.1
    python -m benchmarks.runtimes --release 5.8.1 --list

The release is rewritten beside the original. Then few encoders of ``python -m codegen verify`` are chosen such
that every helper that any of them calls, and every rule of the pass `capture` that changed one, is used by one
of them; they are printed with what each adds. Each is exported with everything precomputed and with nothing, with
sdpa and with eager attention, and has to give in onnxruntime (o) and as a package of AOTInductor (p) what PyTorch
gives, on other sizes and another number of images. Exit code 1 if one does not.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.releases import rewrite
from benchmarks.trees import fetch_release
from codegen.rewrite.helpers import HELPER_MODULES
from codegen.verify import VerifyOptions, verify
from codegen.verify.cases import Case, load_cases
from codegen.verify.processes import format_table


def reached(source: str, encoder: str) -> tuple[frozenset[str], frozenset[str]]:
    """What an encoder is made of, by the text of its file.

    Args:
        encoder: its class, however its release spells it.

    Returns:
        The classes and functions of the file that it reaches by name, and the helpers that these call.

    Raises:
        KeyError: the file has no such class.
    """
    defined = {
        node.name: node
        for node in ast.parse(source).body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef))
    }
    spelled = {name.replace("_", "").lower(): name for name in defined}
    todo = [spelled[encoder.replace("_", "").lower()]]
    found: set[str] = set()
    names: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            used = {node.id for node in ast.walk(defined[name]) if isinstance(node, ast.Name)}
            names |= used
            todo += used & defined.keys()
    return frozenset(found), frozenset(names & HELPER_MODULES.keys())


def choose(used: Mapping[str, Collection[str]]) -> dict[str, tuple[str, ...]]:
    """Few of the keys whose values make up those of all, each with what it adds: the largest first."""
    chosen: dict[str, tuple[str, ...]] = {}
    missing = set().union(*used.values())
    while missing:
        name = max(used, key=lambda name: len(missing & set(used[name])))
        chosen[name] = tuple(sorted(missing & set(used[name])))
        missing -= set(used[name])
    return chosen


def parts_of(
    folder: Path, cases: Mapping[str, Case], report: Sequence[Mapping[str, Any]] = ()
) -> dict[str, frozenset[str]]:
    """Helpers that each encoder below ``folder`` uses, and what capture rules are reported to have done to it."""
    used: dict[str, frozenset[str]] = {}
    for name, case in cases.items():
        path = folder / f"{case.module.replace('.', '/')}.py"
        if not path.is_file():
            continue
        classes, helpers = reached(path.read_text(encoding="utf-8"), case.encoder)
        rules = {
            record["reason"]
            for record in report
            if (record["kind"], record["model"]) == ("captured", case.model)
            and record["cls"] in classes
        }
        used[name] = helpers | rules
    return used


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.runtimes", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--release", default="5.8.1", metavar="VERSION")
    parser.add_argument("--checks", default="op", help="of codegen verify")
    parser.add_argument("--attention", nargs="+", default=["sdpa", "eager"])
    parser.add_argument("--list", action="store_true", help="only print which encoders are chosen")
    options = parser.parse_args()
    release = fetch_release(options.release)
    overlay, run = rewrite(release)
    chosen = choose(parts_of(overlay, load_cases(), run.report))
    for name, parts in chosen.items():
        print(f"{name}: {', '.join(parts)}", flush=True)
    if options.list:
        return 0
    results = verify(
        VerifyOptions(
            release / "transformers",
            overlay,
            tuple(chosen),
            attention=tuple(options.attention),
            checks=options.checks,
        )
    )
    print(format_table(results))
    return 0 if all(result.ok for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
