"""Places that replace placeholders in a form that no rule knows, or in one that no single pass could have."""

from __future__ import annotations

import ast
from functools import lru_cache

from codegen.rewrite.functions import parameters, self_attribute
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import calls_in, glance, of_kinds, target_of, target_text, walk
from codegen.rewrite.tokens.asking import HELPER
from codegen.rewrite.tokens.leftovers import patterns
from codegen.rewrite.tokens.sites import Site
from codegen.rewrite.values import Record, model_of

_APART = ("replace", "split", "rsplit", "partition", "rpartition", "escape")
"""Methods that take a text apart at what they are given first, and what makes a pattern of that."""
_LOOKING = ("find", "index", "rfind", "rindex")
"""Methods that tell where in a text something is, at which it is then cut."""
_BY_PATTERN = ("sub", "subn", "compile")
"""The same for a pattern, in which a placeholder may be a part."""
_ITEMS = ("image", "video", "audio", "media", "boi_")
"""What placeholders stand for, and words for it."""


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
        handed_on = _handed_on(cls, function)
        for node in of_kinds(function, ast.While, ast.Call):
            if id(node) in gone:
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
                found = _worked_on(function, node, node.func.attr)
            if any(_is_placeholder(item) or getattr(item, "id", "") in handed_on for item in found):
                place = cls.module.place(node)
                reason = (
                    f"it replaces placeholders in a form that no rule knows: {_condition(node)}"
                )
                model = model_of(cls.module.source.module)
                return Record(model, cls.name, function.name, "left", place, HELPER, reason=reason)
    return None


def _condition(node: ast.AST) -> str:
    """What a place would have to be for a rule, and is not."""
    if isinstance(node, ast.While):
        if _replaces_the_first(node):
            return "what the loop and the code around it do with a text besides is in none"
        return "the loop does not replace the first placeholder of a text once in each round"
    shown = ast.unparse(node).partition("\n")[0]
    called = getattr(getattr(node, "func", None), "attr", "")
    if called == "replace":
        return f"{shown} is in no loop that runs while the placeholder is in the text"
    if called in _BY_PATTERN and isinstance(getattr(node, "args", [None])[0], ast.Name):
        return f"the pattern of {shown} is not that of one placeholder, or no function of one match answers"
    if called in _BY_PATTERN or called == "escape":
        return f"{shown} takes part in no re.sub that a function of one match answers"
    if called in _LOOKING:
        return f"the text is cut at what {shown} gives"
    return f"the parts of {shown} are not joined with what placeholders become in one loop"


def _replaces_the_first(loop: ast.While) -> bool:
    """Whether a statement of ``while P in text`` is ``text = text.replace(P, r, 1)``, and no other replaces any."""
    test = loop.test
    calls = [c for c in calls_in(loop) if getattr(c.func, "attr", "") == "replace"]
    if len(calls) != 1 or not isinstance(test, ast.Compare) or len(calls[0].args) != 3:
        return False
    (call,), number = calls, calls[0].args[2]
    looked_for = [ast.unparse(test.left), *map(ast.unparse, test.comparators)]
    replaced = [ast.unparse(call.args[0]), ast.unparse(call.func).removesuffix(".replace")]
    back = any(
        target_text(s) == replaced[1] for s in loop.body if getattr(s, "value", None) is call
    )
    return back and looked_for == replaced and getattr(number, "value", None) == 1


def _only_looked_for(function: ast.FunctionDef) -> set[int]:
    """Patterns that a method looks for without making a text of pieces: what is counted is not replaced."""
    looking = ("finditer", "findall", "search", "match", *_LOOKING)
    calls = [n for n in calls_in(function) if getattr(n.func, "attr", "") in looking]
    sums = [
        n
        for n in (walk(function) if calls else ())
        if isinstance(n, (ast.BinOp, ast.AugAssign))
        and isinstance(n.op, ast.Add)
        or isinstance(n, ast.Call)
        and getattr(n.func, "attr", "") in ("append", "extend", "join")
        or isinstance(n, ast.Yield)
    ]
    pieces = [s for n in sums for s in walk(n) if isinstance(s, ast.Subscript)]
    if any(isinstance(piece.slice, ast.Slice) for piece in pieces):
        return set()
    return {id(node) for call in calls for node in (call, *call.args)}


def _handed_on(cls: ClassInfo, function: ast.FunctionDef) -> set[str]:
    """Parameters of a method for which calls in its class give placeholders."""
    names = parameters(function)
    names = names[1:] if names[:1] == ["self"] else names
    found: set[str] = set()
    for caller in cls.methods.values():
        for call in _own_calls(glance(caller)).get(function.name, ()):
            given = [*zip(names, call.args), *((k.arg, k.value) for k in call.keywords)]
            found |= {name for name, value in given if name and _is_placeholder(value)}
    return found


@lru_cache(maxsize=4096)
def _own_calls(function: ast.FunctionDef) -> dict[str, list[ast.Call]]:
    """Calls of attributes of ``self`` in a method, by their names."""
    found: dict[str, list[ast.Call]] = {}
    for call in calls_in(function):
        found.setdefault(self_attribute(call.func), []).append(call)
    return found


def _worked_on(function: ast.FunctionDef, call: ast.Call, name: str) -> list[ast.expr]:
    """What a call takes a text apart at, or replaces in it; of a pattern each part, where it is made, too."""
    if name in _APART or name in _LOOKING:
        return call.args[:1]
    patterns = call.args[:1] if name in _BY_PATTERN else []
    called = {getattr(pattern, "id", "") for pattern in patterns} - {""}
    for made in of_kinds(function, ast.Assign) if called else ():
        if isinstance(made, ast.Assign) and getattr(target_of(made), "id", "") in called:
            patterns = [*patterns, made.value]
    parts = [part for pattern in patterns for part in walk(pattern)]
    return [part for part in parts if isinstance(part, ast.expr)]


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
    """Whether something is called as placeholders are, or is the text of one: ``<image>``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value.lower()
        return text[:1] + text[-1:] == "<>" and any(word in text for word in _ITEMS)
    if not isinstance(node, (ast.Name, ast.Attribute)):
        return False
    written = ast.unparse(node).lower()
    return any(word in written for word in _ITEMS) and written.endswith("token")
