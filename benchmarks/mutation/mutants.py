"""Mutants: the small faults that cosmic-ray can make of a folder's sources, and a sample of them.

A place (an operator of the source and a kind of change) gives one mutant, drawn among its variants. Which
places are drawn is decided by a hash of the seed and of the line's own text: an edit elsewhere changes
nothing, so that a sample stays the same from one commit to the next but for the lines that were edited.
Left out are what cannot change behaviour: annotations (they are never evaluated here), ``is`` for ``==``,
``==`` for ``is`` where classes are compared, ``@cache``, ``slots`` of dataclasses, ``or`` for ``and`` in an
assertion, which holds whatever is weaker than what always holds.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
_EQUIVALENTS = Path(__file__).with_name("equivalents.toml")
#: Nodes of the syntax tree that a family of cosmic-ray's operators looks at: asking each of its two hundred
#: operators about every node takes longer than all the rest. A family that is not listed is asked of all.
_LOOKED_AT = {
    "ReplaceBinaryOperator": ("operator",),
    "ReplaceComparisonOperator": ("comparison",),
    "ReplaceUnaryOperator": ("factor", "not_test"),
    "AddNot": ("if_stmt", "while_stmt", "assert_stmt", "test"),
    "ReplaceTrueWithFalse": ("keyword",),
    "ReplaceFalseWithTrue": ("keyword",),
    "ReplaceAndWithOr": ("keyword",),
    "ReplaceOrWithAnd": ("keyword",),
    "ReplaceBreakWithContinue": ("keyword",),
    "ReplaceContinueWithBreak": ("keyword",),
    "ExceptionReplacer": ("except_clause",),
    "NumberReplacer": ("number",),
    "RemoveDecorator": ("decorator",),
    "ZeroIterationForLoop": ("for_stmt",),
}
_PUNCTUATION = frozenset("()[]{},.:;=@") | {"->", "...", ":="}
_EQUAL: dict[type[ast.cmpop], ast.cmpop] = {ast.Is: ast.Eq(), ast.IsNot: ast.NotEq()}
_CACHES = ("cache", "lru_cache")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed line: where it is, and the whole file with the change."""

    path: str
    line: int
    old: str
    new: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.change}"

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from others wherever the line stands: path, line before, line after."""
        return (self.path, self.old, self.new)

    @property
    def change(self) -> str:
        """The line before and after, wherever it stands."""
        return f"{self.old}  ->  {self.new}"

    @property
    def digest(self) -> str:
        """Digest of the whole changed file."""
        return _hash(self.path, self.text)


@dataclass(frozen=True, slots=True)
class _Place:
    path: str
    start: tuple[int, int]
    rank: str
    variants: tuple[tuple[str, int], ...]


def find_mutants(folder: str, count: int, seed: int) -> list[Mutant]:
    """A seeded sample of the mutants of a folder's sources, as many as there are at most."""
    places = [
        place for path in sorted((ROOT / folder).rglob("*.py")) for place in _places(path, seed)
    ]
    found: list[Mutant] = []
    for place in sorted(places, key=lambda place: place.rank):
        chosen = place.variants[int(place.rank, 16) % len(place.variants)]
        mutant = _mutant(place.path, *chosen)
        if mutant is not None and not _changes_nothing(mutant):
            found.append(mutant)
        if len(found) == count:
            break
    return found


def equivalents() -> dict[tuple[str, str, str], str]:
    """Mutants that change nothing that can be seen, by :attr:`Mutant.key`, and why.

    Raises ValueError for an entry whose line is not in its file any more.
    """
    listed = tomllib.loads(_EQUIVALENTS.read_text(encoding="utf-8")).get("mutant", [])
    for item in listed:
        lines = (ROOT / item["path"]).read_text(encoding="utf-8").split("\n")
        if item["old"] not in map(str.strip, lines):
            raise ValueError(f"{_EQUIVALENTS.name}: {item['path']} has no line {item['old']!r}")
    return {(item["path"], item["old"], item["new"]): item["reason"] for item in listed}


def _places(path: Path, seed: int) -> Iterator[_Place]:
    """Places of a file that can be changed, with the rank that the seed gives them."""
    name = path.relative_to(ROOT).as_posix()
    lines = path.read_text(encoding="utf-8").split("\n")
    kept_out = _annotations(ast.parse("\n".join(lines)))
    variants: dict[tuple[tuple[int, int], str], list[tuple[str, int]]] = defaultdict(list)
    for operator, number, start in _occurrences(path):
        if start not in kept_out:
            variants[start, operator.split("_")[0]].append((operator, number))
    seen = Counter[str]()
    for (start, family), chosen in sorted(variants.items()):
        line = lines[start[0] - 1]
        column = start[1] - (len(line) - len(line.lstrip()))
        same = _hash(str(seed), name, line.strip(), str(column), family)
        seen[same] += 1
        yield _Place(name, start, _hash(same, str(seen[same])), tuple(chosen))


def _occurrences(path: Path) -> Iterator[tuple[str, int, tuple[int, int]]]:
    """Operator, number and position of all that cosmic-ray would change in a file."""
    from cosmic_ray.ast import ast_nodes, get_ast_from_path

    nodes = list(ast_nodes(get_ast_from_path(path)))
    looked_at = {
        family: [node for node in nodes if node.type in kinds and _may_change(node)]
        for family, kinds in _LOOKED_AT.items()
    }
    for name, operator in _operators():
        among = looked_at.get(name.rpartition("/")[2].split("_")[0], nodes)
        positions = (start for node in among for start, _ in operator.mutation_positions(node))
        yield from ((name, number, start) for number, start in enumerate(positions))


def _may_change(node: Any) -> bool:
    """Whether a node is more than punctuation."""
    return node.type != "operator" or node.value not in _PUNCTUATION


@lru_cache
def _operators() -> list[tuple[str, Any]]:
    """cosmic-ray's operators by name, but for those that want arguments."""
    import cosmic_ray.plugins

    kinds = {n: cosmic_ray.plugins.get_operator(n) for n in cosmic_ray.plugins.operator_names()}
    return [
        (name, kind())
        for name, kind in kinds.items()
        if not kind.arguments() and not name.endswith(("_Is", "_IsNot"))
    ]


def _mutant(path: str, operator: str, occurrence: int) -> Mutant | None:
    import cosmic_ray.plugins
    from cosmic_ray.mutating import mutate_code

    old = (ROOT / path).read_text(encoding="utf-8")
    try:
        new = mutate_code(old.encode(), cosmic_ray.plugins.get_operator(operator)(), occurrence)
    except AttributeError:
        # It counts an exception that is spelled with dots among several, and cannot replace it.
        new = None
    if new is None:
        return None
    text = new.decode() if isinstance(new, bytes) else new
    before, after = old.split("\n"), text.split("\n")
    at = next((n for n, pair in enumerate(zip(before, after)) if pair[0] != pair[1]), None)
    if at is None:
        return None
    return Mutant(path, at + 1, before[at].strip(), after[at].strip(), text)


def _annotations(tree: ast.Module) -> set[tuple[int, int]]:
    """Positions inside annotations, as cosmic-ray tells them."""
    found: set[tuple[int, int]] = set()
    for node in ast.walk(tree):
        annotations = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        for annotation in filter(None, annotations):
            last = annotation.end_lineno or annotation.lineno
            for line in range(annotation.lineno, last + 1):
                first = annotation.col_offset if line == annotation.lineno else 0
                end = annotation.end_col_offset if line == last else 1000
                found |= {(line, column) for column in range(first, end or 1000)}
    return found


def _changes_nothing(mutant: Mutant) -> bool:
    """Whether the code is the same, but for what only saves time or memory, or none at all."""
    try:
        return _dump(mutant.text) == _dump((ROOT / mutant.path).read_text(encoding="utf-8"))
    except SyntaxError:
        return True


@lru_cache(maxsize=4)
def _dump(text: str) -> str:
    """A syntax tree in words, without the decorators that only remember results and what only saves memory; a
    class is itself or another, and all or some of an assertion holds."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and getattr(node.left, "attr", "") == "__class__":
            node.ops = [_EQUAL.get(type(op), op) for op in node.ops]
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            kept = [n for n in node.decorator_list if not _is_cache(n)]
            node.decorator_list = kept
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.BoolOp):
            node.test.op = ast.Or()
        if isinstance(node, ast.ClassDef):
            for call in (n for n in node.decorator_list if isinstance(n, ast.Call)):
                call.keywords = [k for k in call.keywords if k.arg != "slots"]
    return ast.dump(tree)


def _is_cache(node: ast.expr) -> bool:
    called = node.func if isinstance(node, ast.Call) else node
    return ast.unparse(called).rpartition(".")[2] in _CACHES


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
