"""Decorators that stand between a call and a method: some hand on only the arguments that they know."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codegen.rewrite.functions import Function
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.nodes import children, walk
from codegen.rewrite.vocabulary import PASSING_DECORATORS


def narrow_decorator(index: Index, info: ModuleInfo, function: Function) -> str:
    """The name of a decorator through which no further keyword reaches a function, empty without one."""
    for decorator in function.decorator_list:
        made = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(made, ast.Name) and made.id not in PASSING_DECORATORS:
            found = _definition(index, info, made.id)
            if found is not None and _is_narrow(found):
                return made.id
    return ""


def _definition(index: Index, info: ModuleInfo, name: str) -> ast.stmt | None:
    """The function or class that a decorator is, where the tree has it."""
    if name in info.functions or name in info.classes:
        return info.functions.get(name) or info.classes[name]
    module, original = info.imports.get(name, ("", ""))
    if not module or module == info.source.module or index.library.read(module) is None:
        return None
    other = index.open(module)
    return None if other is None else other.functions.get(original) or other.classes.get(original)


def _is_narrow(node: ast.stmt) -> bool:
    """Tell whether what takes the place of a decorated function takes no ``**kwargs``."""
    if isinstance(node, ast.ClassDef):
        called = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__call__"]
        return any(method.args.kwarg is None for method in called)
    return any(wrapper.args.kwarg is None for wrapper in _wrappers(node, _parameters(node)))


def _wrappers(node: ast.AST, given: frozenset[str]) -> Iterator[ast.FunctionDef | ast.Lambda]:
    """Functions inside of a decorator that call what it was given."""
    for child in children(node):
        if isinstance(child, (ast.FunctionDef, ast.Lambda)):
            calls = (n.func for n in walk(child) if isinstance(n, ast.Call))
            inner = any(
                isinstance(n, (ast.FunctionDef, ast.Lambda)) for n in walk(child) if n is not child
            )
            if not inner and any(isinstance(f, ast.Name) and f.id in given for f in calls):
                yield child
        is_function = isinstance(child, (ast.FunctionDef, ast.Lambda))
        yield from _wrappers(child, given | _parameters(child) if is_function else given)


def _parameters(node: ast.AST) -> frozenset[str]:
    return frozenset(n.arg for n in walk(node.args) if isinstance(n, ast.arg))  # type: ignore[attr-defined]
