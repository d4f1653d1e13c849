"""How offsets are asked for, and where they are left."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codegen.rewrite.emit.edits import (
    AddKeywords,
    AddOption,
    Edit,
    Enclose,
    Substitute,
    at_top,
)
from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.place.processors import own_returns

HELPER = "get_text_with_replacements"


OPTION = "return_text_replacement_offsets"


OFFSETS = "text_replacement_offsets"


COLLECTED = "replacement_offsets"


WORKED_ON = "its texts are worked on behind the helper, as they were behind the loop"
"""Said of a site whose texts reach the tokenizer as other ones than the helper has returned."""


@dataclass(frozen=True)
class Style:
    """How a class is written.

    ``stay``: loops that can stay do. ``separate``: a call of the helper at every site, one behind the
    other, instead of one for all. ``follow``: offsets follow what is done to the texts behind the helper.
    """

    stay: bool = False
    separate: bool = False
    follow: bool = False


@dataclass(frozen=True)
class Offsets:
    """Where a method leaves the offsets of its calls: in a variable of ``__call__``, or in a list that it is given."""

    in_call: bool
    style: Style
    name: str

    @property
    def wanted(self) -> str:
        """The expression that says whether anybody asks for them."""
        return OPTION if self.in_call else f"{COLLECTED} is not None"

    @property
    def target(self) -> str:
        """The variable for those of one call."""
        return OFFSETS if self.in_call and not self.style.separate else self.name

    def kept(self, passed: str, result: str) -> list[str]:
        """The lines behind a call; ``passed`` are its texts where ``result`` is made of them later."""
        owner = OFFSETS if self.in_call else COLLECTED
        lines = []
        if self.style.separate:
            lines.append(f"chain_offsets({owner}, {self.target})")
        elif not self.in_call:
            lines.append(f"{owner}.extend({self.target})")
        if passed and self.style.follow:
            lines.append(f"move_offsets({owner}, {passed}, {result})")
        if self.in_call or not lines:
            return lines
        return [f"if {COLLECTED} is not None:", *(f"    {line}" for line in lines)]


def _described(info: ModuleInfo, call: Function) -> Iterator[Edit]:
    """The option in a docstring that has its parameters checked."""
    checked = any("auto_docstring" in ast.unparse(item) for item in call.decorator_list)
    first = call.body[0]
    if (
        not checked
        or ast.get_docstring(call, clean=False) is None
        or not isinstance(first, ast.Expr)
    ):
        return
    written = info.text.source(first.value) or ""
    head, line, rest = written.partition("\n")
    margin = " " * first.col_offset
    entry = (
        f"{margin}{OPTION} (`bool`, *optional*, defaults to `False`):\n"
        f"{margin}    Whether to return, too, where placeholders stood and where their replacements stand.\n"
    )
    if line and not head.strip("rR\"' "):
        yield Substitute(first.value, f"{head}\n{entry}{rest}")


def calls(node: ast.AST, called: str) -> bool:
    """Whether a node is a call of something that is written so."""
    return isinstance(node, ast.Call) and ast.unparse(node.func) == called


def call_edits(info: ModuleInfo, call: Function, callees: Sequence[Function]) -> Iterator[Edit]:
    """Offsets for who asks ``__call__`` for them."""
    lines = [f"{OFFSETS} = []"]
    if call.args.kwarg is not None:
        lines.insert(0, f"{OPTION} = pop_offsets_option({call.args.kwarg.arg})")
    else:
        yield AddOption(f"{OPTION}=False")
        yield from _described(info, call)
    if callees:
        # A class that overrides the method need not know the keyword, unless it is asked for.
        lines.append(f'collected = {{"{COLLECTED}": {OFFSETS}}} if {OPTION} else {{}}')
    yield at_top(call, tuple(lines))
    names = {f"self.{function.name}" for function in callees}
    for node in walk(call):
        if isinstance(node, ast.Call) and any(calls(node, name) for name in names):
            yield AddKeywords(node, ("**collected",))
    for node in own_returns(call):
        if node.value is not None and isinstance(node.value, ast.Call):
            arguments = (f"{OFFSETS} if {OPTION} else None,",)
            yield Enclose(node.value, "add_replacement_offsets", arguments)
