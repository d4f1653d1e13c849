"""Whether the callers of a method that encodes one modality do nothing but join what it returns.

    outputs = self.get_image_features(...)                   joined: outputs.pooler_output meets torch.cat only
    features = torch.cat(outputs.pooler_output, dim=0)

Followed through names, attributes, and parameters of the class's own methods. Callers are looked for in
every module that can have the method: its own, and those that import from it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import children, target_of, walk
from codegen.rewrite.reach import ENTRY, Reaching
from codegen.rewrite.vocabulary import FEATURES_METHODS, torch_name

JOINS = ("torch.cat", "torch.concat", "torch.concatenate")
PARTED = ("pooler_output", "last_hidden_state")
"""Fields of an output that can hold the entries; what is in others is not split."""
_PASSES = ("tuple", "list")


def joining_objection(index: Index, cls: ClassInfo, method: Function) -> str:
    """Why entries of a result are more to a caller than parts to be joined; empty if they are not."""
    for info in _callers(index, cls, method.name):
        for name in info.classes:
            caller = index.resolve(info.source.module, name)
            for function in caller.methods.values() if caller is not None else ():
                if f".{method.name}(" not in info.segment(function):
                    continue
                assert caller is not None
                found = _Uses(index, caller, function).of_calls(method.name)
                if found:
                    return f"{caller.name}.{function.name} does more than join them: {found}"
    return ""


def _callers(index: Index, cls: ClassInfo, name: str) -> Iterator[ModuleInfo]:
    """Modules with calls of a method of the name that may mean that of the class."""
    own = cls.module.source.module
    stem = own.rpartition(".")[2].partition("_")[2]
    for module in index.mentioning(f".{name}("):
        source = index.library.read(module)
        if source is not None and (module == own or f"modeling_{stem} import" in source.text):
            info = index.get(module)
            if info is not None:
                yield info


class _Uses:
    """What one method does with values that may be such a result, or the entries of one."""

    def __init__(self, index: Index, cls: ClassInfo, function: Function) -> None:
        self.index, self.cls, self.function = index, cls, function
        self.reaching = Reaching(function)
        self.parents = {id(child): node for node in walk(function) for child in children(node)}
        self.followed: set[tuple[int, str]] = set()

    def of_calls(self, name: str) -> str:
        """The first use of a result of the method that is none, empty if there is none."""
        for node in walk(self.function):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr == name and (problem := self._of(node)):
                return problem
        return ""

    def of_parameter(self, name: str) -> str:
        """The same of what a caller hands in."""
        return self._of_name(ENTRY, name)

    def _of(self, node: ast.expr) -> str:
        """Where the value of an expression goes."""
        parent = self.parents[id(node)]
        if isinstance(parent, ast.Attribute):
            return self._of(parent) if parent.attr in PARTED else ""
        if isinstance(parent, (ast.Assign, ast.AnnAssign)) and parent.value is node:
            target = target_of(parent) if isinstance(parent, ast.Assign) else parent.target
            if isinstance(target, ast.Name):
                return self._of_name(id(parent), target.id)
        if isinstance(parent, ast.Return) and self.function.name in FEATURES_METHODS:
            return ""
        if isinstance(parent, ast.Compare) and _is_none(parent):
            return ""
        if isinstance(parent, ast.keyword):
            call = self.parents[id(parent)]
            return (
                self._of_argument(call, parent.arg) if isinstance(call, ast.Call) else _said(call)
            )
        if isinstance(parent, ast.Call):
            return self._of_call(parent, node)
        return _said(parent)

    def _of_call(self, call: ast.Call, node: ast.expr) -> str:
        """The value as an argument of a call."""
        if not call.args or node not in call.args:
            return _said(call)
        if torch_name(call.func) in JOINS and call.args[0] is node:
            along = call.args[1:2] or [k.value for k in call.keywords if k.arg in ("dim", "axis")]
            rows = all(isinstance(axis, ast.Constant) and axis.value == 0 for axis in along)
            return "" if rows else _said(call)
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name in _PASSES and len(call.args) == 1:
            return self._of(call)
        if name == "isinstance":
            return ""
        return self._of_argument(call, call.args.index(node))

    def _of_argument(self, call: ast.Call, place: int | str | None) -> str:
        """The value as an argument of one of the class's own methods."""
        func, found = call.func, None
        if isinstance(func, ast.Attribute) and ast.unparse(func.value) == "self":
            found = self.index.method(self.cls, func.attr)
        if found is None or found[1].decorator_list or place is None:
            return _said(call)
        names = parameters(found[1])[1:]
        name = place if isinstance(place, str) else names[place] if place < len(names) else ""
        if name not in names:
            return _said(call)
        if (id(found[1]), name) in self.followed:
            return ""
        self.followed.add((id(found[1]), name))
        inside = _Uses(self.index, self.cls, found[1])
        inside.followed = self.followed
        return inside.of_parameter(name)

    def _of_name(self, definition: int, name: str) -> str:
        """Every reading of a name that may still have the value."""
        for node in walk(self.function):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                reaches = self.reaching.definitions(self._statement(node), name)
                if definition in reaches and (problem := self._of(node)):
                    return problem
        return ""

    def _statement(self, node: ast.AST) -> ast.stmt:
        while not isinstance(node, ast.stmt):
            node = self.parents[id(node)]
        return node


def _is_none(node: ast.Compare) -> bool:
    """``x is None`` or ``x is not None``."""
    last = node.comparators[-1]
    return isinstance(node.ops[0], (ast.Is, ast.IsNot)) and (
        isinstance(last, ast.Constant) and last.value is None
    )


def _said(node: ast.AST) -> str:
    return ast.unparse(node).partition("\n")[0][:90]
