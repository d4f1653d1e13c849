"""Import aliases: whatever a file calls torch, its tree says ``torch``, ``nn`` and ``F``.

    import torch as th                       torch.arange(h)
    import torch.nn.functional as nnf   ->   F.pad(x, (1, 0))       (in the tree, at the same places)
    from torch import cat                    torch.cat(pieces)

Only the tree that rules look at is changed, never the text: what is copied from the source keeps the
spelling of its author, and :func:`spelled` gives the spelling for what is written anew.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from codegen.rewrite.nodes import glance
from codegen.rewrite.vocabulary import TORCH_MODULES
from codegen.text.lines import LineMap
from codegen.text.statements import first_line

Aliases = Mapping[str, str]
"""Local name -> dotted name in torch."""


Import = ast.Import | ast.ImportFrom


def torch_aliases(imports: Iterable[Import]) -> dict[str, str]:
    """All names that import statements, maybe those of :func:`imports_of`, import from torch."""
    found: dict[str, str] = {}
    for node in imports:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == "torch":
                    name = alias.asname or "torch"
                    found[name] = alias.name if alias.asname else "torch"
        elif not node.level and (node.module or "").partition(".")[0] == "torch":
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


_BLOCKS = ("body", "orelse", "handlers", "finalbody")


def imports_of(tree: ast.Module, text: str) -> Iterator[Import]:
    """Import statements, looked for where they can be, in blocks of statements; not for their places.

    The ``text`` of the tree tells where there are none but at its margin.
    """
    if _may_hold_inner(text):
        return imports_in(tree.body)
    return (node for node in reversed(tree.body) if isinstance(node, (ast.Import, ast.ImportFrom)))


def imports_in(statements: Iterable[ast.stmt]) -> Iterator[Import]:
    """Import statements among some statements and in their blocks; not for their places."""
    pending = list(statements)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        held = glance(node).__dict__ if isinstance(node, ast.FunctionDef) else node.__dict__
        if "body" in held:
            for name in _BLOCKS:
                pending += held.get(name, ())


def _may_hold_inner(text: str) -> bool:
    """Whether an import may stand in a block of another statement: one that does not begin a line."""
    if "\\\n" in text:
        return True
    lines = (line for line in text.split("\n") if "import" in line)
    return any(
        not line.startswith(("import ", "from ")) or not {":", ";"}.isdisjoint(line)
        for line in lines
    )


def other_names(aliases: Aliases) -> dict[str, str]:
    """Names for torch, its modules and functions that the rules spell in another way, and how."""
    wanted = {name: known_spelling(dotted) for name, dotted in aliases.items()}
    # Classes are known by their own names, however they are reached.
    return {
        name: known
        for name, known in wanted.items()
        if known != name and not (name[:1].isupper() and known.endswith(f".{name}"))
    }


def resolve_aliases(tree: ast.Module, aliases: Aliases, text: str = "") -> None:
    """Put the rules' spelling in place of other names for torch, its modules and functions.

    Where the ``text`` of the tree is given, functions in whose lines no such name stands are not looked into.
    """
    wanted = other_names(aliases)
    if wanted:
        _Resolver(wanted, LineMap(text) if text else None).visit(tree)


def known_spelling(dotted: str) -> str:
    """``torch.nn.functional.pad`` as the rules spell it: ``F.pad``."""
    for module in sorted(TORCH_MODULES, key=len, reverse=True):
        if dotted == module or dotted.startswith(f"{module}."):
            return TORCH_MODULES[module] + dotted[len(module) :]
    return dotted


def spelled(aliases: Aliases, dotted: str) -> str:
    """How a file can write a name of torch with what it imports; empty where it cannot."""
    by_target: dict[str, str] = {}
    for name, target in aliases.items():
        if target not in by_target or name == target.rpartition(".")[2]:
            by_target[target] = name
    head, tail = dotted, ""
    while head:
        if head in by_target:
            return by_target[head] + tail
        head, _, last = head.rpartition(".")
        tail = f".{last}{tail}"
    return ""


class _Resolver(ast.NodeTransformer):
    """Replaces names outside the functions in which they mean something local."""

    def __init__(self, wanted: Mapping[str, str], text: LineMap | None) -> None:
        self._wanted = dict(wanted)
        self._text = text

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._scope(node) if self._may_speak(node) else node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._scope(node) if self._may_speak(node) else node

    def _may_speak(self, node: ast.stmt) -> bool:
        """Tell whether one of the names may stand in a function; Python reads other letters as plain ones, too."""
        if self._text is None:
            return True
        start = self._text.start_of(first_line(node))
        lines = self._text.text[start : self._text.start_of((node.end_lineno or 0) + 1)]
        return not lines.isascii() or any(name in lines for name in self._wanted)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return self._scope(node)

    def _scope(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> ast.AST:
        outer, local = self._wanted, _bound_names(node)
        self._wanted = {name: known for name, known in outer.items() if name not in local}
        try:
            return self.generic_visit(node)
        finally:
            self._wanted = outer

    def visit_Name(self, node: ast.Name) -> ast.expr:
        known = self._wanted.get(node.id)
        if known is None or not isinstance(node.ctx, ast.Load):
            return node
        first, *rest = known.split(".")
        new: ast.expr = ast.copy_location(ast.Name(first, ast.Load()), node)
        for part in rest:
            new = ast.copy_location(ast.Attribute(new, part, ast.Load()), node)
        return new


def _bound_names(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """Parameters of a function and names that it assigns."""
    args = node.args
    names = {a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)}
    names |= {a.arg for a in (args.vararg, args.kwarg) if a is not None}
    stored = (n for n in ast.walk(node) if isinstance(n, ast.Name))
    return names | {n.id for n in stored if isinstance(n.ctx, ast.Store)}
