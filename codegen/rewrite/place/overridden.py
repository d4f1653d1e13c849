"""What a method uses of its object, and what may be something else in another object or at another time.

    class Child(Encoder):                          encoder.order = turned          setattr(encoder, "order", turned)
        def order(self, values): ...

What statements give is found by running them with the methods and attributes of one class. A helper in their
place would give the same for a class that inherits them and has others, and where a line elsewhere replaces one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator

from codegen.rewrite.functions import Function, self_attribute
from codegen.rewrite.heirs import Heirs
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import calls_in, glance, walk
from codegen.rewrite.probe.trace import mutates
from codegen.rewrite.recognise.study import Study


def otherwise(
    index: Index, heirs: Heirs, study: Study, statements: Collection[int], arguments: str
) -> Iterator[tuple[int, str]]:
    """Statements that use what may be something else, with what and why.

    ``arguments`` are the texts of what helpers get in their place: these are read anew in every object.
    """
    for number in sorted(statements):
        entered = [f for trace in study.traces for f in trace.entered.get(number, ())]
        nodes = (study.function.body[number], *map(glance, dict.fromkeys(entered)))
        for why in reasons_of(index, heirs, study.cls, study.function, nodes, arguments):
            yield number, why


def reasons_of(
    index: Index,
    heirs: Heirs,
    cls: ClassInfo,
    function: Function,
    nodes: Iterable[ast.AST],
    arguments: str,
) -> Iterator[str]:
    """Why nodes may give something else in another object that has a method, or at another time.

    ``nodes`` are statements of the method, and functions that they enter.
    """
    for name in sorted(_used(index, cls, nodes)):
        if not re.search(rf"\bself\.{name}\b", arguments):
            why = _another(index, heirs, cls, function, name) or _put_there(index, name)
            if why:
                yield why


def with_called(index: Index, cls: ClassInfo, function: Function) -> list[Function]:
    """A method, and the own methods that it calls, and those that these call."""
    found = [function]
    for known in found:
        called = {self_attribute(call.func) for call in calls_in(glance(known))} - {""}
        methods = (index.method(cls, name) for name in sorted(called))
        found += [m[1] for m in methods if m is not None and m[1] not in found]
    return found


def _used(index: Index, cls: ClassInfo, nodes: Iterable[ast.AST]) -> frozenset[str]:
    """Own methods that nodes call, and attributes without a module that they read."""
    names = {self_attribute(node) for top in nodes for node in walk(top)}
    return frozenset(name for name in names - {""} if _is_own(index, cls, name))


def _is_own(index: Index, cls: ClassInfo, name: str) -> bool:
    """Tell whether a name is that of a method, or of an attribute that holds no module."""
    if index.method(cls, name) is not None:
        return True
    found = index.attribute(cls, name)
    return found is not None and name != "config" and not isinstance(found[2], ast.Call)


def _another(index: Index, heirs: Heirs, cls: ClassInfo, function: Function, name: str) -> str:
    """Which class that inherits a method has another method or attribute of a name; empty where none does."""
    method, attribute = index.method(cls, name), index.attribute(cls, name)
    for heir in heirs.of(cls, function.name):
        other, value = index.method(heir, name), index.attribute(heir, name)
        same = other is not None and method is not None and other[1] is method[1]
        if method is None and attribute is not None:
            same = value is not None and ast.dump(value[2]) == ast.dump(attribute[2])
            same = same and name not in heir.rebound and name not in heir.methods
        if not same:
            return f"{heir.name} inherits it and has another {name}"
    return ""


def _put_there(index: Index, name: str) -> str:
    """Where a file puts something else in the place of a method or attribute of any object; empty if none does."""
    # What such a line looks like, so that few files are read: its tree decides.
    assigned = rf"\.{name}(?:\b[^\n(=]*=(?!=)|\[|\.)"
    bound = rf"\b(?:del|for|as)\b[^\n]*\.{name}\b"
    near = re.compile(rf"{assigned}|{bound}|[\"']{name}[\"']")
    for module in index.mentioning(name):
        source = index.library.read(module)
        lines = _lines_with(source.text, name) if source is not None else ()
        info = index.open(module) if any(map(near.search, lines)) else None
        node = next(_writing(info, name), None) if info is not None else None
        if info is not None and node is not None:
            return f"{info.place(node)} puts something else in the place of {name}"
    return ""


def _lines_with(text: str, word: str) -> Iterator[str]:
    """The lines of a text in which a word stands: much fewer than all, and soon found."""
    place = text.find(word)
    while place >= 0:
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        yield text[text.rfind("\n", 0, place) + 1 : end]
        place = text.find(word, end)


def _writing(info: ModuleInfo, name: str) -> Iterator[ast.AST]:
    """Nodes that assign to an attribute of an object that is not ``self``, or change what one of any object holds."""
    for part in info.naming((name,)):
        for node in walk(part):
            written = _written(node)
            if isinstance(written, ast.Attribute) and written.attr == name:
                held = ast.unparse(written.value)
                if not held.endswith("config") and (held != "self" or written is not node):
                    yield node
            elif isinstance(node, ast.Call) and name in _named_in(node):
                yield node


def _written(node: ast.AST) -> ast.AST | None:
    """What a node assigns to or changes in place: an attribute, or what an item or a method stands behind."""
    if isinstance(node, ast.Call):
        method = node.func
        is_change = isinstance(method, ast.Attribute) and mutates(method.attr)
        return method.value if is_change and isinstance(method, ast.Attribute) else None
    if not isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
        return None
    return node.value if isinstance(node, ast.Subscript) else node


def _named_in(call: ast.Call) -> frozenset[str]:
    """Attributes that ``setattr(x, "name", ...)`` and ``type("Child", (Parent,), {"name": ...})`` name."""
    function = getattr(call.func, "id", "")
    first = call.args[0] if call.args else None
    if function in ("setattr", "delattr") and getattr(first, "id", "") != "self":
        named: list[ast.expr | None] = [*call.args[1:2]]
    elif function == "type" and len(call.args) == 3 and isinstance(call.args[2], ast.Dict):
        named = call.args[2].keys
    else:
        return frozenset()
    return frozenset(str(n.value) for n in named if isinstance(n, ast.Constant))
