"""What the passes see in a tree: every function of theirs that is asked about nodes, and names, and nothing else.

Each is asked about many nodes: those of some golden cases, and of the same after small edits, which are the near misses.
``golden/trees.txt`` says by function how often it answered what, and has a digest of all answers, so that a
condition that is weakened or lost shows wherever any of these nodes meets it. A function that is new is held to
nothing until it is recorded. To see which answers changed, ask the
function about :func:`inputs` before and after. Record anew with
``pytest tests/rewrite/test_words_of_trees.py --update-golden``, and review.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import fields, is_dataclass
from functools import cache
from itertools import islice, product
from textwrap import dedent
from types import GeneratorType, ModuleType
from typing import Any

import pytest

import codegen.rewrite
from tests.rewrite.edited import name_of
from tests.rewrite.small_edits import GOLDEN, all_edits, digest, is_body
from tests.rewrite.test_rules import CASES, read_case

TABLE = GOLDEN / "trees.txt"
PACKAGE = "codegen.rewrite."
#: So many edits of each function; values for a parameter beside the first, and calls for each first.
EDITS, VALUES, CALLS = 2, 3, 2
#: Answers are compared so deep, and of what they go through so many.
DEPTH, LENGTH = 5, 40


def modules() -> dict[str, ModuleType]:
    found = pkgutil.walk_packages(codegen.rewrite.__path__, PACKAGE)
    return {m.name.removeprefix(PACKAGE): importlib.import_module(m.name) for m in found}


def kinds_of(annotation: str) -> tuple[type, ...] | None:
    """The types that a parameter takes, by its annotation; None if it is neither a node nor a name."""
    parts = [part for part in annotation.split(" | ") if part != "None"]
    parts = ["ast.FunctionDef" if part == "Function" else part for part in parts]
    if parts == ["str"]:
        return (str,)
    if not all(part.startswith("ast.") for part in parts):
        return None
    return tuple(getattr(ast, part.removeprefix("ast.")) for part in parts)


def asked(module: ModuleType) -> dict[str, tuple[Callable[..., Any], list[tuple[type, ...]]]]:
    """The functions of a module that are asked about nodes and names, with the types of their parameters."""
    found = {}
    for name, function in vars(module).items():
        plain = inspect.unwrap(function) if callable(function) else None
        if not inspect.isfunction(plain) or plain.__module__ != module.__name__:
            continue
        wanted = [kinds_of(str(p.annotation)) for p in inspect.signature(plain).parameters.values()]
        kinds = [kind for kind in wanted if kind is not None]
        if len(kinds) == len(wanted) and any(kind != (str,) for kind in kinds):
            found[name] = plain, kinds
    return found


MODULES = {name: module for name, module in modules().items() if asked(module)}


@cache
def chosen() -> tuple[str, ...]:
    """The cases that are asked about: a further one changes none of the answers."""
    first, _, _ = TABLE.read_text(encoding="utf-8").partition("\n")
    return tuple(first.split()[1:])


@cache
def functions() -> list[ast.FunctionDef]:
    """Methods and functions of golden cases, and each after some edits."""
    texts: dict[str, None] = {}
    for path in (path for path in CASES if name_of(path) in chosen()):
        text = next(iter(read_case(path).files.values()))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and len(node.body) > 1:
                lines = text.split("\n")[node.lineno - 1 : node.end_lineno]
                texts.setdefault(dedent("\n".join(lines)))
    made = []
    for number, text in enumerate(texts):
        edits = all_edits(text)
        names = random.Random(number).sample(sorted(edits), min(EDITS, len(edits)))
        made += [text, *filter(is_body, (edits[name].apply(text) for name in names))]
    trees = [ast.parse(text).body[0] for text in made]
    return [tree for tree in trees if isinstance(tree, ast.FunctionDef)]


@cache
def nodes() -> Mapping[type, list[ast.AST]]:
    """All different nodes of the functions, by their type."""
    seen = set[str]()
    found: dict[type, list[ast.AST]] = defaultdict(list)
    for function in functions():
        for node in ast.walk(function):
            if isinstance(node, (ast.expr, ast.stmt, ast.keyword, ast.arguments)):
                said = ast.dump(node)
                if said not in seen:
                    seen.add(said)
                    found[type(node)].append(node)
    return found


def inputs(kinds: list[tuple[type, ...]]) -> Iterator[tuple[Any, ...]]:
    """What a function with such parameters is asked about: a node, and nodes and names in it."""
    at = next((n for n, kind in enumerate(kinds) if kind == (ast.FunctionDef,)), -1)
    at = at if at >= 0 else next(n for n, kind in enumerate(kinds) if kind != (str,))
    if kinds[at] == (ast.FunctionDef,):
        firsts: list[ast.AST] = [*functions()]
    else:
        firsts = [
            n for kind, several in nodes().items() if issubclass(kind, kinds[at]) for n in several
        ]
    for first in firsts:
        values = [[first] if n == at else _inside(first, kind) for n, kind in enumerate(kinds)]
        yield from islice(product(*values), CALLS)


def _inside(node: ast.AST, kinds: tuple[type, ...]) -> list[Any]:
    """Some nodes of a type in another, or names."""
    found: list[Any] = [n for n in ast.walk(node) if isinstance(n, kinds) and n is not node]
    if kinds == (str,):
        names = (n.id for n in ast.walk(node) if isinstance(n, ast.Name))
        found = [name for name in dict.fromkeys(names) if name != "self"] or ["x"]
    return found[:: len(found) // VALUES + 1]


def said(value: Any, depth: int = DEPTH) -> str:
    """An answer in words; nodes by their places."""
    if isinstance(value, ast.AST):
        return f"{type(value).__name__}@{getattr(value, 'lineno', '')}.{getattr(value, 'col_offset', '')}"
    if isinstance(value, int) and value > 1 << 32:
        return "the number of a node"
    if value is None or isinstance(value, (str, int, float)):
        return repr(value)
    if depth == 0:
        return "..."
    if isinstance(value, Mapping):
        pairs = [(said(k, depth - 1), said(v, depth - 1)) for k, v in islice(value.items(), LENGTH)]
        return f"{{{', '.join(f'{k}: {v}' for k, v in pairs)}}}"
    if isinstance(value, Set):
        return f"{{{', '.join(sorted(said(item, depth - 1) for item in value))}}}"
    if isinstance(value, (list, tuple, GeneratorType, filter, map)):
        return f"[{', '.join(said(item, depth - 1) for item in islice(value, LENGTH))}]"
    if is_dataclass(value) and not isinstance(value, type):
        inner = (said(getattr(value, f.name), depth - 1) for f in fields(value))
        return f"{type(value).__name__}({', '.join(inner)})"
    return type(value).__name__


def answer(function: Callable[..., Any], given: tuple[Any, ...]) -> str:
    """What a function says; it need not make sense of everything that it is never asked."""
    try:
        return said(function(*given))
    except Exception as error:
        return f"! {type(error).__name__}"


def lines(name: str) -> list[str]:
    """What the functions of a module answer: the most frequent answers, how many, and a digest."""
    found = []
    for function, (plain, kinds) in asked(MODULES[name]).items():
        answers = [answer(plain, given) for given in inputs(kinds)]
        if not answers:
            continue  # what it is asked about stands in no function
        counts = Counter(answers)
        most = ", ".join(
            f"{n} {said if len(said) < 20 else '...'}" for said, n in counts.most_common(2)
        )
        found.append(
            f"{name}.{function}: {most}; {len(counts)} different: {digest(chr(10).join(answers))}"
        )
    return found


def recorded() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for line in TABLE.read_text(encoding="utf-8").split("\n")[1:]:
        if line:
            found[line.partition(":")[0].rpartition(".")[0]].append(line)
    return found


@pytest.mark.parametrize("name", MODULES)
def test_what_is_seen_in_trees_is_as_recorded(name: str, request: pytest.FixtureRequest) -> None:
    found = lines(name)
    if request.config.getoption("--update-golden"):
        known = {**recorded(), name: found}
        told = [line for module in MODULES for line in known.get(module, ())]
        head = f"cases: {' '.join(chosen())}"
        TABLE.write_text("\n".join([head, *told]) + "\n", encoding="utf-8")
    else:
        known = {line.partition(":")[0]: line for line in recorded()[name]}
        assert [known.get(line.partition(":")[0], line) for line in found] == found
