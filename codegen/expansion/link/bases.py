"""Whether Python finds an order for the bases of each class of a generated file.

Classes of the definition stand where the parent's stood, also as bases of others; what is listed in
front of two of them may then be asked to stand both before and behind one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codegen.expansion.model import Item


def without_order(items: Sequence[Item]) -> Iterator[tuple[Item, str, str]]:
    """Classes without a resolution order: the item, the class, and one of the bases in the way.

    Of classes from elsewhere nothing is known; they count as having no bases.
    """
    orders: dict[str, list[str]] = {}
    for item in items:
        for node in ast.parse(item.text).body if item.kind == "class" else ():
            if not isinstance(node, ast.ClassDef):
                continue
            bases = [ast.unparse(base) for base in node.bases]
            above = [orders.get(base, [base]) for base in bases]
            found, rest = _merged([*above, bases])
            if rest:
                yield item, node.name, next(name for name in bases if name in rest)
            orders[node.name] = [node.name, *found]


def _merged(lists: Sequence[Sequence[str]]) -> tuple[list[str], list[str]]:
    """The names in an order that agrees with all lists, and those for which there is none."""
    rest = [list(names) for names in lists if names]
    found: list[str] = []
    while rest:
        behind = {name for names in rest for name in names[1:]}
        head = next((names[0] for names in rest if names[0] not in behind), None)
        if head is None:
            return found, list(dict.fromkeys(name for names in rest for name in names))
        found.append(head)
        rest = [left for names in rest if (left := [n for n in names if n != head])]
    return found, []
