"""Where the mask of a decoder goes in one file, and that nothing is done with it but multiply.

A decoder hands it to layers, perhaps to those of one kind only; a layer to a module; that to a function

    if mask is not None and mask.shape[1] > 1:
        dtype = rows.dtype
        rows = (rows * mask[:, :, None]).to(dtype)
    return rows

for which a mask of ones is as good as none.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import lru_cache

from codegen.rewrite.capture.pieces import Refused
from codegen.rewrite.functions import Function, parameters, self_attribute
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import only, target_of, target_text, walk
from codegen.rewrite.probe.trace import assigned_names
from codegen.rewrite.values import Source

Kind = tuple[str, object] | None
"""A field of the configuration with one value for each layer, and the value of those that get the mask."""


@lru_cache(maxsize=64)
def glimpse(source: Source, name: str) -> ModuleInfo | None:
    """One class or function of a file, as if nothing else stood there; None where that is not plain.

    Files of decoders are long, and little of them is looked at.
    """
    binds = rf"^(?:(?:async )?(?:class|def) {name}\b|{name}\b[^\n]*=)"
    places = list(re.finditer(binds, source.text, re.MULTILINE))
    if len(places) != 1:
        return None
    start = places[0].start()
    end = re.compile(r"^[\w@]", re.MULTILINE).search(source.text, start + 1)
    text = source.text[start : end.start() if end else None]
    try:
        return ModuleInfo.parse(Source(source.path, source.module, text))
    except SyntaxError:
        return None


def glimpse_class(source: Source, name: str) -> ClassInfo | None:
    """A class of a file; None where there is none of that name, or several."""
    info = glimpse(source, name)
    return ClassInfo(info, info.classes[name]) if info and name in info.classes else None


@dataclass(frozen=True)
class Flow:
    """Where a mask goes in one file, from a decoder down.

    Every method raises Refused where something else might be done with it than multiply.
    """

    source: Source
    cls: ClassInfo

    def from_method(self, name: str) -> int:
        """Follow the results of a method of the decoder; returns how many calls of it there are."""
        count = 0
        for function in self.cls.methods.values():
            for node in walk(function):
                if not isinstance(node, ast.Call) or self_attribute(node.func) != name:
                    continue
                held = only([s for s in walk(function) if getattr(s, "value", None) is node])
                names = assigned_names(held) if isinstance(held, ast.Assign) else ()
                if len(names) != 1:
                    raise Refused(node, f"{ast.unparse(node)} has no name of its own")
                (target,) = names
                self._named(function, target, None)
                count += 1
        return count

    def _named(self, function: Function, name: str, kind: Kind) -> None:
        """Follow a name of the decoder."""
        parents = _parents(function)
        made = [
            s for s in walk(function) if isinstance(s, ast.Assign) and name in assigned_names(s)
        ]
        if len(made) != 1:
            raise Refused(function, f"{name} holds something else, too")
        for use in _uses(function, name):
            parent = parents[use]
            holder = parents.get(parent)
            if isinstance(parent, ast.keyword) and isinstance(holder, ast.Call) and parent.arg:
                self._layers(function, holder, parent.arg, kind)
            elif isinstance(parent, ast.IfExp) and parent.body is use and kind is None:
                found = _kind(function, parent.test)
                target = target_of(holder)
                if found is None or not isinstance(target, ast.Name):
                    raise Refused(
                        parent, f"{ast.unparse(parent)} is no choice by the kind of a layer"
                    )
                self._named(function, target.id, found)
            else:
                raise Refused(use, f"{ast.unparse(parent)} uses it")

    def _layers(self, function: Function, call: ast.Call, keyword: str, kind: Kind) -> None:
        """Follow a keyword of the call of a layer in a loop over all layers."""
        for loop in walk(function):
            if isinstance(loop, ast.For) and call in walk(loop):
                layers = _looped(loop, ast.unparse(call.func))
                if layers:
                    layer, number = self._built(layers, kind)
                    self._in_layer(layer, keyword, number, kind)
                    return
        raise Refused(call, f"what {ast.unparse(call.func)} is, is not known")

    def _built(self, layers: str, kind: Kind) -> tuple[ClassInfo, str]:
        """The class of the layers that get the mask, and its parameter that is the number of a layer."""
        made = _attribute(self.cls, layers)
        listed = (
            next((n for n in walk(made) if isinstance(n, ast.ListComp)), None) if made else None
        )
        if listed is None or len(listed.generators) != 1:
            raise Refused(self.cls.node, f"how self.{layers} are built is not known")
        number, element = ast.unparse(listed.generators[0].target), listed.elt
        if isinstance(element, ast.IfExp) and kind is not None:
            chosen = f"config.{kind[0]}[{number}] == {kind[1]!r}"
            element = element.body if ast.unparse(element.test) == chosen else element
        layer = self._class(element, f"self.{layers}")
        init = layer.methods.get("__init__")
        assert isinstance(element, ast.Call)
        places = [n for n, argument in enumerate(element.args) if ast.unparse(argument) == number]
        names = parameters(init)[1:] if init is not None else []
        counted = ast.unparse(listed.generators[0].iter).startswith("range(")
        named = [names[n] for n in places if n < len(names)]
        return layer, named[0] if len(named) == 1 and counted else ""

    def _class(self, made: ast.AST | None, what: str) -> ClassInfo:
        name = ast.unparse(made.func) if isinstance(made, ast.Call) else ""
        found = glimpse_class(self.source, name) if name.isidentifier() else None
        if found is None:
            raise Refused(self.cls.node, f"the class of {what} is not known")
        return found

    def _in_layer(self, layer: ClassInfo, name: str, number: str, kind: Kind) -> None:
        """Follow a parameter of a layer to the modules that it is handed on to."""
        forward = _forward(layer, name)
        parents = _parents(forward)
        for use in _uses(forward, name):
            parent = parents[use]
            call = parents.get(parent)
            module = self_attribute(call.func) if isinstance(call, ast.Call) else ""
            if not isinstance(parent, ast.keyword) or not parent.arg or not module:
                raise Refused(use, f"{layer.name} does more with {name} than hand it on")
            if _is_of_other_kind(layer, number, parents, use, kind):
                continue
            inner = self._class(_attribute(layer, module), f"self.{module} of {layer.name}")
            self._in_module(inner, parent.arg)

    def _in_module(self, cls: ClassInfo, name: str) -> None:
        """Follow a parameter of a module to functions that multiply by it."""
        forward = _forward(cls, name)
        parents = _parents(forward)
        for use in _uses(forward, name):
            call = parents[use]
            called = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
            info = glimpse(self.source, called) if called.isidentifier() else None
            function = info.functions.get(called) if info is not None else None
            if function is None or not isinstance(call, ast.Call) or use not in call.args:
                raise Refused(use, f"{cls.name} does more with {name} than multiply by it")
            if not only_multiplies(function, parameters(function)[call.args.index(use)]):
                raise Refused(use, f"{called} does more with it than multiply by it")


def _forward(cls: ClassInfo, name: str) -> Function:
    """The forward of a class that takes a parameter and keeps what it holds.

    Raises:
        Refused: there is none.
    """
    forward = cls.methods.get("forward")
    if forward is None or name not in parameters(forward):
        raise Refused(cls.node, f"{cls.name} does not take {name}")
    bound = (node for node in walk(forward) if isinstance(node, ast.Name) and node.id == name)
    if any(not isinstance(node.ctx, ast.Load) for node in bound):
        raise Refused(forward, f"{cls.name} puts something else in the place of {name}")
    return forward


def only_multiplies(function: Function, mask: str) -> bool:
    """Tell whether a function returns one parameter, multiplied by another if that is there, in the same dtype."""
    body = [s for s in function.body if not is_text(s)]
    if len(body) != 2 or not isinstance(body[0], ast.If) or body[0].orelse:
        return False
    branch, last = body
    assert isinstance(branch, ast.If)
    rows = ast.unparse(last.value) if isinstance(last, ast.Return) and last.value else ""
    if rows not in parameters(function) or rows == mask or len(branch.body) != 2:
        return False
    tests = branch.test.values if isinstance(branch.test, ast.BoolOp) else [branch.test]
    if isinstance(branch.test, ast.BoolOp) and not isinstance(branch.test.op, ast.And):
        return False
    if ast.unparse(tests[0]) != f"{mask} is not None":
        return False
    if not all(ast.unparse(test).startswith(f"{mask}.shape[") for test in tests[1:]):
        return False
    kept, made = branch.body
    if not isinstance(kept, ast.Assign) or ast.unparse(kept.value) != f"{rows}.dtype":
        return False
    dtype = target_text(kept)
    product = next((n for n in walk(made) if isinstance(n, ast.BinOp)), None)
    if product is None or not isinstance(product.op, ast.Mult):
        return False
    factor = product.right
    base = factor.value if isinstance(factor, ast.Subscript) else factor
    whole = f"{rows} = ({rows} * {ast.unparse(factor)}).to({dtype})"
    return ast.unparse(base) == mask and ast.unparse(made) == whole


def _kind(function: Function, test: ast.expr) -> Kind:
    """Field and value of ``self.config.field[i] == "value"``, where i numbers the layers of a loop."""
    if (
        not isinstance(test, ast.Compare)
        or len(test.ops) != 1
        or not isinstance(test.ops[0], ast.Eq)
    ):
        return None
    left, right = test.left, test.comparators[0]
    if not isinstance(left, ast.Subscript) or not isinstance(right, ast.Constant):
        return None
    field = ast.unparse(left.value).removeprefix("self.config.")
    loops = [node for node in walk(function) if isinstance(node, ast.For) and test in walk(node)]
    counted = any(
        isinstance(loop.target, ast.Tuple)
        and ast.unparse(loop.target.elts[0]) == ast.unparse(left.slice)
        and ast.unparse(loop.iter).startswith("enumerate(")
        for loop in loops
    )
    return (field, right.value) if field.isidentifier() and counted else None


def _looped(loop: ast.For, layer: str) -> str:
    """``layers`` of a loop over ``self.layers``, all or the first of them, in which a layer has that name."""
    over, target = loop.iter, loop.target
    if isinstance(over, ast.Call) and ast.unparse(over.func) == "enumerate" and len(over.args) == 1:
        over = over.args[0]
        target = target.elts[-1] if isinstance(target, ast.Tuple) else target
    if isinstance(over, ast.Subscript) and isinstance(over.slice, ast.Slice):
        over = over.value if over.slice.lower is None and over.slice.step is None else over
    return self_attribute(over) if ast.unparse(target) == layer else ""


def _is_of_other_kind(
    layer: ClassInfo, number: str, parents: dict[ast.AST, ast.AST], use: ast.AST, kind: Kind
) -> bool:
    """Tell whether a place is in a branch for layers of another kind than those that get the mask."""
    node = use
    while kind is not None and node in parents:
        above = parents[node]
        if isinstance(above, ast.If) and node in above.body and isinstance(above.test, ast.Compare):
            test = above.test
            made = _attribute(layer, self_attribute(test.left))
            by_field = made is not None and ast.unparse(made) == f"config.{kind[0]}[{number}]"
            value = test.comparators[0]
            literal = isinstance(test.ops[0], ast.Eq) and isinstance(value, ast.Constant)
            if by_field and literal and ast.literal_eval(value) != kind[1]:
                return True
        node = above
    return False


def _attribute(cls: ClassInfo, name: str) -> ast.expr | None:
    """What the only assignment of an ``__init__`` to an attribute has on its right."""
    init = cls.methods.get("__init__")
    made = [
        node.value
        for node in (walk(init) if init is not None else ())
        if isinstance(node, ast.Assign) and any(self_attribute(t) == name for t in node.targets)
    ]
    return only(made) if name else None


def _parents(function: Function) -> dict[ast.AST, ast.AST]:
    return {child: node for node in walk(function) for child in ast.iter_child_nodes(node)}


def _uses(function: Function, name: str) -> list[ast.Name]:
    """Where a name is read."""
    names = (node for node in walk(function) if isinstance(node, ast.Name) and node.id == name)
    return [node for node in names if isinstance(node.ctx, ast.Load)]


def is_text(statement: ast.stmt) -> bool:
    """Tell whether a statement is a docstring or the like."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
