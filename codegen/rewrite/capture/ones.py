"""Masks that are left out where they hold nothing but ones: kept while tracing, where nothing can be asked.

    if mask is not None and torch.all(mask == 1):         if mask is not None and not is_tracing() and torch.all(mask == 1):
        kept = None                                  ->       kept = None

Right only where every layer that gets the mask does nothing but multiply by it. That is shown in every
file whose classes have the method, from the call of it down to the multiplication (:mod:`.multiplied`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from codegen.rewrite.capture.multiplied import Flow, glimpse_class, is_text
from codegen.rewrite.capture.pieces import Left, Refused
from codegen.rewrite.emit.edits import Edit, Substitute
from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import target_of
from codegen.rewrite.values import Source

Found = tuple[list[Edit], tuple[str, ...], str]


def ones_edits(index: Index, cls: ClassInfo, function: Function) -> Found | Left | None:
    """Ask for the values of a mask in eager mode only."""
    asked = _asked(function)
    if asked is None:
        return None
    if cls.module.source.module not in index.library.modules():
        return Left(asked, "a mask of ones is left out, but the file stays as it is")
    calls = 0
    for source in _reached(index, cls, function):
        for name in _classes_around(source.text, f"{function.name}("):
            holder = glimpse_class(source, name)
            if holder is None:
                return Left(asked, f"a mask of ones is left out, but {name} is not read alone")
            try:
                calls += Flow(source, holder).from_method(function.name)
            except Refused as refused:
                reason = f"a mask of ones is left out, but {refused.left.reason} (in {name})"
                return Left(asked, reason)
    if not calls:
        return Left(asked, "a mask of ones is left out, but who gets it is not seen")
    text = cls.module.text.source(asked)
    reason = "a mask of ones is kept while tracing: all that get it only multiply by it"
    return [Substitute(asked, f"not is_tracing() and {text}")], ("is_tracing",), reason


def _asked(function: Function) -> ast.Call | None:
    """`torch.all(mask == 1)` at the end of what has to hold so that a method returns None for its mask."""
    body = [s for s in function.body if not is_text(s)]
    if len(body) != 3 or not isinstance(body[1], ast.If) or body[1].orelse:
        return None
    first, branch, last = body
    assert isinstance(branch, ast.If)
    target = target_of(first)
    if not isinstance(first, ast.Assign) or not isinstance(target, ast.Name):
        return None
    mask = ast.unparse(first.value)
    dropped = [ast.unparse(statement) for statement in branch.body] == [f"{target.id} = None"]
    if (
        not dropped
        or ast.unparse(last) != f"return {target.id}"
        or mask not in parameters(function)
    ):
        return None
    tests = [branch.test]
    if isinstance(branch.test, ast.BoolOp) and isinstance(branch.test.op, ast.Or):
        tests = branch.test.values
    for test in tests:
        parts = test.values if isinstance(test, ast.BoolOp) else []
        if len(parts) == 2 and isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            written = [ast.unparse(part) for part in parts]
            if written == [f"{mask} is not None", f"torch.all({mask} == 1)"]:
                assert isinstance(parts[1], ast.Call)
                return parts[1]
    return None


def _reached(index: Index, cls: ClassInfo, function: Function) -> Iterator[Source]:
    """Files in which a method stands or is called: of definitions what they are expanded to.

    Those of a definition reach as far as definitions name models from which they inherit.
    """
    modules = [cls.module.source.module]
    for module in modules:
        model = module.split(".")[-2] if "." in module else module
        modules += [m for m in index.mentioning(f".{model}.") if m not in modules]
    for module in modules:
        generated = index.generated_of(module)
        source = (index.library.read(generated) if generated else None) or index.library.read(
            module
        )
        if source is not None and f"{function.name}(" in source.text:
            yield source


def _classes_around(text: str, words: str) -> list[str]:
    """Names of the classes in which some words stand; empty for what stands in front of all."""
    found = []
    for match in re.finditer(re.escape(words), text):
        heads = re.findall(r"^class (\w+)", text[: match.start()], re.MULTILINE)
        found.append(heads[-1] if heads else "")
    return list(dict.fromkeys(found))
