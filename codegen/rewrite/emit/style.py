"""How a file writes what edits say in the rules' words: names of torch, types that may be None."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import libcst as cst

from codegen.rewrite.aliases import spelled
from codegen.rewrite.emit.layout import Statement, parse_lines

DOTTED = {"torch": "torch", "nn": "torch.nn", "F": "torch.nn.functional"}
"""What rules write for torch and its modules."""


@dataclass(frozen=True)
class Style:
    """``names`` are the file's spellings of names that it does not know; ``optional`` is what it writes
    around a type that may be None, empty for ``type | None``."""

    names: Mapping[str, str] = field(default_factory=dict)
    optional: str = ""

    def lines(self, lines: Sequence[str]) -> list[Statement]:
        """Statements of some lines of code."""
        return [self._respelled(statement) for statement in parse_lines(tuple(lines))]

    def expression(self, text: str) -> cst.BaseExpression:
        """An expression."""
        return self._respelled(_parsed(text))

    def may_be_none(self, text: str) -> cst.BaseExpression:
        """A type or None, as an annotation."""
        return self.expression(f"{self.optional}[{text}]" if self.optional else f"{text} | None")

    def _respelled(self, node: cst.CSTNodeT) -> cst.CSTNodeT:
        if not self.names:
            return node
        found = node.visit(_Respell(self.names))
        assert isinstance(found, (type(node), cst.BaseExpression))
        return found


@lru_cache(maxsize=512)
def _parsed(text: str) -> cst.BaseExpression:
    """An expression of some code; types and tests of one kind are written in many methods."""
    return cst.parse_expression(text)


def spellings(names: Collection[str], aliases: Mapping[str, str]) -> dict[str, str]:
    """How a file writes some of these names that it does not know: by its own aliases, or in full."""
    found = {
        name: spelled(aliases, DOTTED[name]) or DOTTED[name] for name in names if name in DOTTED
    }
    return {name: new for name, new in found.items() if new != name}


class _Respell(cst.CSTTransformer):
    """Puts other spellings in the place of names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__()
        self.names = names
        self.others: set[cst.CSTNode] = set()

    def visit_Attribute(self, node: cst.Attribute) -> None:
        self.others.add(node.attr)

    def visit_Arg(self, node: cst.Arg) -> None:
        if node.keyword is not None:
            self.others.add(node.keyword)

    def visit_Param(self, node: cst.Param) -> None:
        self.others.add(node.name)

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        """Names that are looked up, not those of attributes, keywords and parameters."""
        new = "" if original_node in self.others else self.names.get(original_node.value, "")
        return cst.parse_expression(new) if new else updated_node
