"""Places that replace placeholders in a form that no rule knows, or in one that no single pass could have."""

from __future__ import annotations

import ast

from codegen.rewrite.library import ClassInfo
from codegen.rewrite.nodes import calls_in, walk
from codegen.rewrite.tokens.asking import HELPER
from codegen.rewrite.tokens.leftovers import patterns
from codegen.rewrite.tokens.sites import Site
from codegen.rewrite.values import Record, model_of


def unknown_form(cls: ClassInfo, sites: list[Site]) -> Record | None:
    """A record of a place, outside of the sites, that replaces placeholders in a form that no rule knows."""
    gone = {id(n) for site in sites for part in (site.start, *site.statements) for n in walk(part)}
    for site in sites:
        gone |= {id(n) for node in patterns(site.function, gone) for n in walk(node)}
    handed = " ".join(site.written for site in sites)
    for function in cls.methods.values():
        if f"self.{function.name}(" in handed:
            continue
        gone |= _only_looked_for(function)
        for node in walk(function):
            if not isinstance(node, (ast.While, ast.Call)) or id(node) in gone:
                continue
            overwritten = _overwrites(node)
            if overwritten:
                place = cls.module.place(node)
                model = model_of(cls.module.source.module)
                return Record(
                    model, cls.name, function.name, "left", place, HELPER, reason=overwritten
                )
            found: list[ast.expr] = []
            if isinstance(node, ast.While):
                looked_for = [node.test, *getattr(node.test, "values", ())]
                found = [t.left for t in looked_for if isinstance(t, ast.Compare)]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                found = node.args[:1] if node.func.attr in ("replace", "split", "escape") else []
            if any(_is_placeholder(item) for item in found):
                place = cls.module.place(node)
                reason = "it replaces placeholders in a form that no rule knows"
                model = model_of(cls.module.source.module)
                return Record(model, cls.name, function.name, "left", place, HELPER, reason=reason)
    return None


def _only_looked_for(function: ast.FunctionDef) -> set[int]:
    """Patterns that a method looks for without making a text of pieces: what is counted is not replaced."""
    looking = ("finditer", "findall", "search", "match")
    calls = [n for n in calls_in(function) if getattr(n.func, "attr", "") in looking]
    sums = [
        n
        for n in (walk(function) if calls else ())
        if isinstance(n, (ast.BinOp, ast.AugAssign)) and isinstance(n.op, ast.Add)
    ]
    pieces = [s for n in sums for s in walk(n) if isinstance(s, ast.Subscript)]
    if any(isinstance(piece.slice, ast.Slice) for piece in pieces):
        return set()
    return {id(argument) for call in calls for argument in call.args}


def _overwrites(node: ast.AST) -> str:
    """What is wrong with ``while P in text`` that replaces the first of another placeholder as well; or empty."""
    tests = [node.test] if isinstance(node, ast.While) else []
    looked_for = [
        t.left for t in tests if isinstance(t, ast.Compare) and isinstance(t.ops[0], ast.In)
    ]
    for call in walk(node) if looked_for and _is_placeholder(looked_for[0]) else ():
        if not isinstance(call, ast.Call) or getattr(call.func, "attr", "") != "replace":
            continue
        other, own = call.args[0], looked_for[0]
        if len(call.args) > 2 and _is_placeholder(other) and ast.unparse(other) != ast.unparse(own):
            return (
                f"for each {ast.unparse(own)} it replaces the first {ast.unparse(other)} of the text, too: "
                "what an earlier one has become is overwritten, as no single pass would do"
            )
    return ""


def _is_placeholder(node: ast.expr) -> bool:
    if not isinstance(node, (ast.Name, ast.Attribute)):
        return False
    written = ast.unparse(node).lower()
    item = any(word in written for word in ("image", "video", "audio", "media", "boi_"))
    return item and written.endswith("token")
