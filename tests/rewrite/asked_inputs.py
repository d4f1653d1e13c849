"""What functions of the passes may be asked: code of golden cases and of small edits of it, words, numbers and arrays."""

from __future__ import annotations

import ast
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import chain, islice, product, zip_longest
from typing import Any

import numpy as np

from tests.rewrite.asked import (
    ARRAYS,
    BLOCKS,
    GIVEN,
    NAMES,
    Asked,
    Block,
    Place,
    has_place,
    in_words,
    parsed,
    place,
    spelled,
    types_of,
)
from tests.rewrite.asked_runs import bodies
from tests.rewrite.edited import name_of
from tests.rewrite.small_edits import all_edits, is_body
from tests.rewrite.test_rules import CASES

#: Edits of each case; inputs of a function at one place; words and nodes; edits of programs.
EDITS, AT_PLACE, MOST, EDITED_RUNS = 2, 2, 200, 300


@cache
def places() -> list[Place]:
    """All cases, and then some edits of each that can be said as an edit of a line."""
    names = [name_of(path) for path in CASES]
    plain = [place(name) for name in names]
    found = list(plain)
    for name, whole in zip(names, plain):
        text = next(iter(whole.files.values()))
        edits = all_edits(text)
        chosen = random.Random(name).sample(sorted(edits), min(6 * EDITS, len(edits)))
        added = 0
        for edit in map(edits.__getitem__, chosen):
            if added == EDITS:
                break
            if any(mark in edit.old + edit.new for mark in ("\n", " -> ", "] ", "  ")):
                continue
            if not edit.old.strip():
                continue
            try:
                made = place(name, edit.line, edit.old, edit.new)
                if next(iter(made.files.values())) == edit.apply(text):
                    assert made.module  # it can be read
                    found.append(made)
                    added += 1
            except (SyntaxError, AssertionError, ValueError):
                continue
    random.Random(0).shuffle(found)
    return found


@cache
def nodes() -> Mapping[type, list[ast.AST]]:
    """Nodes that can be spelled on a line of their own, by type, short ones first."""
    seen: dict[str, ast.AST] = {}
    for where in places():
        for node in ast.walk(where.module.tree):
            if isinstance(node, (ast.expr, ast.stmt, ast.keyword, ast.arguments)):
                word = spelled(node)
                if word not in seen and not word.endswith("...") and "  " not in word:
                    try:
                        made = parsed(word, (type(node),))
                    except (ValueError, RecursionError):
                        continue
                    if ast.dump(made) == ast.dump(node):
                        seen[word] = made
    found: dict[type, list[ast.AST]] = defaultdict(list)
    for node in seen.values():
        found[type(node)].append(node)
    return found


def inputs(one: Asked) -> Iterator[str]:
    """Lines with what a function may be asked."""
    if one.needs_file:
        yield from _of_places(one)
    elif any(map(types_of, one.kinds.values())):
        # One of three stands in a case: statements that hold others cannot be spelled on a line.
        alone, there = _of_nodes(one), _of_places(one)
        for pair in zip_longest(alone, there):
            yield from filter(None, pair)
    else:
        yield from _of_words(one)


@cache
def of_bodies() -> tuple[str, ...]:
    """Programs, and then small edits of them."""
    found = dict.fromkeys(bodies())
    edited = (edit.apply(body) for body in found for edit in all_edits(body).values())
    more = [text for text in dict.fromkeys(edited) if text not in found and is_body(text)]
    return tuple(f"body={text!r}" for text in (*found, *random.Random(2).sample(more, EDITED_RUNS)))


def _of_places(one: Asked) -> Iterator[str]:
    at = [n for n, kind in one.kinds.items() if kind not in GIVEN]
    for where in near(one.name):
        random_ = random.Random(f"{one.name} {where.name}")
        made = [dict[str, Any]()]
        for name in at:
            made = [
                {**before, name: value}
                for before in made
                for value in _values(one.kinds[name], where, before, random_)
            ]
            random_.shuffle(made)
            del made[3 * AT_PLACE :]
        for values in made[:AT_PLACE]:
            with suppress(StopIteration):  # a site that is not seen twice
                yield in_words(where, one.kinds, values)


def near(name: str) -> list[Place]:
    """The places, by turns one that has to do with a function by name and any."""
    package, *_, stem, _ = ("", *name.split("."))[-3:]
    words = [word.rstrip("s") for word in stem.split("_")]

    def distance(where: Place) -> int:
        return -(where.name.startswith(package)) - 2 * any(word in where.name for word in words)

    both = zip(sorted(places(), key=distance), places())
    return list(dict.fromkeys(chain.from_iterable(both)))


def _of_nodes(one: Asked) -> Iterator[str]:
    at = next(n for n, kind in one.kinds.items() if types_of(kind))
    pool = [
        [*several] for kind, several in nodes().items() if issubclass(kind, types_of(one.kinds[at]))
    ]
    for several in pool:
        random.Random(one.name).shuffle(several)
    turns = [node for several in pool for node in several[: MOST // len(pool)]]
    random.Random(1).shuffle(turns)
    for first in turns:
        values = [[first] if n == at else _inside(first, kind) for n, kind in one.kinds.items()]
        for chosen in islice(product(*values), 3):
            yield in_words(None, one.kinds, dict(zip(one.kinds, chosen)))


def _of_words(one: Asked) -> Iterator[str]:
    """Of functions that are asked about words, numbers and arrays only."""
    words = [*map(spelled, chain.from_iterable(nodes().values()))]
    random_ = random.Random(one.name)
    words = [word for word in random_.sample(words, min(400, len(words))) if "  " not in word]
    words += ["", "x", "1", "self", "a.b", "x ", "(", "a, b"]
    for _ in range(MOST):
        values: dict[str, Any] = {}
        for name, kind in one.kinds.items():
            if kind in ARRAYS:
                values[name] = np.array(random_.choice(_ARRAYS))
            elif kind in ("int", "bool"):
                values[name] = random_.choice([0, 1, 2, 3, 7] if kind == "int" else [False, True])
            elif kind == "str":
                values[name] = random_.choice(words)
            else:
                values[name] = random_.choice(_sets(kind, random_.sample(words, 4)))
        yield in_words(None, one.kinds, values)


_ARRAYS: Sequence[Any] = (
    *([], [3], [0], [1, 1], [2, 3, 4], [4, 3, 2, 1], [0, 2, 5, 9], [0, 0, 1, 1, 2], [5, 5, 5, 5]),
    *([[1, 2, 4]], [[1, 4, 6], [2, 2, 4]], [[1, 4, 4], [1, 4, 4], [3, 8, 2]], [[2, 4], [6, 8]]),
    *([[0, 1], [2, 3], [4, 5], [6, 7]], [[0], [1], [2]], [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]),
    *([0.5, 1.5], [[0.0, 1.0], [0.25, 0.75]], [True, False, True], [[True, False], [True, True]]),
    *([-1, 0, 1], [3, 1, 2], [1, 1, 2, 2, 2, 7], [0, 4, 8, 12], [0, 4, 4, 12], [16, 16, 64]),
)


def _inside(node: ast.AST, kind: str) -> list[Any]:
    if kind in ARRAYS:
        return []
    if kind in ("int", "bool"):
        return [0, 1, 2] if kind == "int" else [False, True]
    names = list(dict.fromkeys(_names(node))) or ["x"]
    if kind == "str":
        return names[:: len(names) // 3 + 1]
    if NAMES.fullmatch(kind):
        return _sets(kind, names)
    if kind == "Vocabulary":
        return [None]
    found = [n for n in ast.walk(node) if isinstance(n, types_of(kind)) and n is not node]
    return found[:: len(found) // 3 + 1]


def _names(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        for field in ("id", "attr", "arg"):
            if isinstance(name := getattr(inner, field, None), str):
                yield name


def _sets(kind: str, names: Sequence[str]) -> list[Any]:
    make: Callable[..., Any] = list if kind.startswith(("Sequence", "list", "Iterable")) else set
    found = [make(names[:1]), make(names[1:3]), make(names)]
    return [frozenset(f) if kind.startswith("frozenset") else f for f in found if f]


def _values(
    kind: str, where: Place, before: Mapping[str, Any], random_: random.Random
) -> list[Any]:
    around = [v for v in before.values() if isinstance(v, (ast.AST, Block))]
    owner = next((v for v in before.values() if hasattr(v, "methods")), None)
    if kind == "ClassInfo":
        found: list[Any] = [*where.classes.values()]
    elif kind == "Function":
        found = [*(owner.methods if owner is not None else where.functions).values()]
    elif kind == "Site":
        found = [*where.sites.values()]
    elif kind in ARRAYS:
        found = []
    elif kind == "bool":
        found = [False, True]
    elif kind == "int":
        found = [0, 1, 2]
    else:
        last = around[-1] if around else None
        tree = last.owner if isinstance(last, Block) else last or where.module.tree
        if kind == "str" or NAMES.fullmatch(kind):
            names = list(
                dict.fromkeys(_names(owner.node if owner is not None and last is None else tree))
            )
            names += [*owner.methods] if owner is not None else [*where.classes]
            found = (
                names if kind == "str" else _sets(kind, random_.sample(names, min(4, len(names))))
            )
        elif kind in BLOCKS:
            found = [
                Block(n)
                for n in ast.walk(tree)
                if isinstance(getattr(n, "body", None), list) and isinstance(n, ast.stmt)
            ]
        else:
            found = [n for n in ast.walk(tree) if isinstance(n, types_of(kind)) and has_place(n)]
    return random_.sample(found, min(4, len(found)))
