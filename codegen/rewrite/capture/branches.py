"""Branches on the values of tensors: what a graph cannot decide, reported where it stands.

    if mask is not None and torch.all(mask == 1): ...        if types is not None and types.any(): ...

Masks that are left out where they hold nothing but ones have a rule (:mod:`.ones`); others get no second form: what
an expert means to the layers behind a branch is not seen here.
Methods that a class inherits from a file in which nothing else is of interest are looked at, too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codegen.rewrite.capture.pieces import Left
from codegen.rewrite.functions import Function
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.vocabulary import torch_name

_WORDS = ("torch.all(", "torch.any(", ".any()", ".all()")
_QUANTIFIERS = ("any", "all")


def branches(index: Index, cls: ClassInfo) -> Iterator[tuple[ClassInfo, Function, Left]]:
    """The first branch of each method of a class, with the class that defines it."""
    known = [cls, *_unread_bases(index, cls)]
    taken: set[str] = set()
    for owner in known:
        for name, function in owner.methods.items():
            if name in taken:
                continue
            taken.add(name)
            found = _branch(owner.module, function)
            if found is not None:
                yield owner, function, found


def _unread_bases(index: Index, cls: ClassInfo) -> Iterator[ClassInfo]:
    """Classes that a class names as bases in files that do not look relevant, but hold such branches."""
    module = cls.module.source.module
    for base in cls.node.bases:
        name = base.id if isinstance(base, ast.Name) else ""
        if name not in cls.module.imports or index.resolve(module, name) is not None:
            continue
        origin, original = cls.module.imports[name]
        package, _, last = origin.rpartition(".")
        # What all models share decides nothing in a forward.
        if package.rpartition(".")[0] != module.rpartition(".")[0].rpartition(".")[0]:
            continue
        definition = f"{package}.modular_{last.partition('_')[2]}"
        for place in (definition, origin):
            source = index.library.read(place)
            if source is None or f"class {original}(" not in source.text:
                continue
            # The words tell of nearly all files that there is nothing in them to parse for.
            text = source.text.partition(f"class {original}(")[2].partition("\nclass ")[0]
            if any(word in text for word in _WORDS):
                info = ModuleInfo.parse(source)
                yield ClassInfo(info, info.classes[original])
            break


def _branch(info: ModuleInfo, function: Function) -> Left | None:
    segment = info.segment(function)
    if "if " not in segment or not any(word in segment for word in _WORDS):
        return None
    for node in walk(function):
        if not isinstance(node, (ast.If, ast.IfExp, ast.While)):
            continue
        asked = next((call for call in walk(node.test) if _asks_values(call)), None)
        # What is asked eagerly only has its second form.
        if asked is not None and "is_tracing()" not in ast.unparse(node.test):
            reason = f"{ast.unparse(asked)} is a value of a tensor that a branch depends on"
            return Left(asked, f"{reason}: a graph ends here")
    return None


def _asks_values(node: ast.AST) -> bool:
    """``torch.all(x)`` and ``x.any()``, without an axis."""
    if not isinstance(node, ast.Call) or node.keywords or not isinstance(node.func, ast.Attribute):
        return False
    of_torch = torch_name(node.func) in ("torch.any", "torch.all")
    return node.func.attr in _QUANTIFIERS and len(node.args) == of_torch
