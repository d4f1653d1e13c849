"""Which expressions of a class denote its parent class, whatever name they know it by.

    from ..stone.modeling_stone import StoneBlock, StoneBlock as Block
    from ..stone import modeling_stone

``StoneBlock``, ``Block`` and ``modeling_stone.StoneBlock`` are one class. So is what a function
imports or assigns for itself; a parameter or a variable that only shares the name is none.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codegen.expansion.fold.model import Spellings
from codegen.text.read_body import ClassBody
from codegen.text.scoping import AnyFunction, function_names, names_in, own_nodes

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Denoted:
    """The expressions of one class, and what is around each of them."""

    def __init__(self, body: ClassBody, spellings: Spellings) -> None:
        self.body, self.spellings = body, spellings
        self.parents = {
            child: node for node in ast.walk(body.node) for child in ast.iter_child_nodes(node)
        }
        self._bound: dict[AnyFunction, set[str]] = {}

    def find(self) -> Iterator[ast.expr]:
        """All expressions of the class, its header included, that denote its parent."""
        for node in ast.walk(self.body.node):
            if isinstance(node, ast.expr) and self.is_parent(node):
                yield node

    def is_parent(self, node: ast.AST) -> bool:
        """Whether an expression denotes the parent class."""
        dotted = dotted_name(node)
        if not dotted:
            return False
        root, _, rest = dotted.partition(".")
        scope = self._scope_of(root, node)
        if scope is None:
            return dotted in self.spellings.dotted
        return isinstance(scope, _FUNCTIONS) and self._is_given(scope, root, rest)

    def _scope_of(self, name: str, node: ast.AST) -> ast.AST | None:
        """What binds a name where it is read: a function or another scope, None for the module."""
        inner, outer = node, self.parents.get(node)
        inside = False
        while outer is not None and outer is not self.body.node:
            if isinstance(outer, _FUNCTIONS):
                body = outer.body if isinstance(outer.body, list) else [outer.body]
                if inner in body:
                    inside = True
                    if name in self._names_of(outer):
                        return outer
            elif isinstance(outer, _COMPREHENSIONS):
                targets = (each for item in outer.generators for each in ast.walk(item.target))
                if any(isinstance(each, ast.Name) and each.id == name for each in targets):
                    return outer
            elif isinstance(outer, ast.ClassDef) and inner in outer.body and not inside:
                if name in names_in(outer.body).bound:
                    return outer
            inner, outer = outer, self.parents.get(outer)
        return None

    def _names_of(self, function: AnyFunction) -> set[str]:
        if function not in self._bound:
            self._bound[function] = function_names(function).bound
        return self._bound[function]

    def _is_given(self, function: _Scope, root: str, rest: str) -> bool:
        """Whether the one binding of a name in a function gives it the parent, or its module."""
        if isinstance(function, ast.Lambda):
            return False
        binders = [node for node in own_nodes(function.body) if root in _bound_by(node)]
        listed = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        if len(binders) != 1 or any(item.arg == root for item in listed):
            return False
        binder = binders[0]
        if isinstance(binder, ast.Assign):
            return not rest and len(binder.targets) == 1 and self.is_parent(binder.value)
        if isinstance(binder, (ast.Import, ast.ImportFrom)):
            module, _, name = f"{_imported(binder, root)}.{rest}".rstrip(".").rpartition(".")
            return bool(name) and self.spellings.denotes(module, name)
        return False


def dotted_name(node: ast.AST) -> str:
    """``a.b.C`` where a name, or attributes of one, are read; "" for everything else."""
    parts = []
    while isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return ""
    return ".".join([node.id, *reversed(parts)])


def _bound_by(node: ast.AST) -> set[str]:
    """Names that a node of a function binds by itself, not counting what is inside of it."""
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.NamedExpr)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        inner = (item for target in targets for item in ast.walk(target))
        return {item.id for item in inner if isinstance(item, ast.Name) and _is_stored(item)}
    if isinstance(node, (ast.For, ast.AsyncFor, ast.withitem, ast.Delete)):
        return names_in([node]).bound
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {item.asname or item.name.partition(".")[0] for item in node.names}
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    name = getattr(node, "name", None) or getattr(node, "rest", None)
    return {name} if isinstance(name, str) and not isinstance(node, ast.alias) else set()


def _is_stored(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _imported(node: ast.Import | ast.ImportFrom, bound: str) -> str:
    """The dotted path of what an import binds to a name."""
    for item in node.names:
        if (item.asname or item.name.partition(".")[0]) == bound:
            if isinstance(node, ast.Import):
                return item.name if item.asname else bound
            spelled = "." * node.level + (node.module or "")
            return f"{spelled}{'' if spelled.endswith('.') else '.'}{item.name}"
    return ""
