"""lift: turn the results of helpers into optional inputs and thread them through their callers.

Second of the passes, behind extract, whose helper calls it looks for.

    def forward(self, x, grid_thw, **kwargs):      def forward(self, x, grid_thw, cu_seqlens=None, **kwargs):
        cu_seqlens = get_...(grid_thw)        ->       if cu_seqlens is None:
                                                           cu_seqlens = get_...(grid_thw)

A method that calls a lifted one computes the value itself, where it knows the number of tokens, and
hands it on; one that only wraps an encoder hands on what it was given. So the outermost ``forward`` of
an encoder accepts everything. A caller that passes its ``**kwargs`` on needs no change.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from codegen.rewrite.emit.edits import Edit, block
from codegen.rewrite.emit.signature import (
    bind_arguments,
    docstring_edits,
    keyword_edit,
    signature_edits,
    substitute,
)
from codegen.rewrite.helpers import LIFTED, Helper
from codegen.rewrite.library import ClassInfo, Function, self_attribute
from codegen.rewrite.nodes import walk
from codegen.rewrite.place.hoist import hoist_positions
from codegen.rewrite.place.rows import rows_expression
from codegen.rewrite.place.sink import sink_computations
from codegen.rewrite.place.thread import thread_keywords
from codegen.rewrite.state import RewriteState
from codegen.rewrite.values import Record, model_of

_SIZES = re.compile(r"grid|_lens|merge_sizes|image_size|num_patches")


@dataclass(frozen=True)
class HelperCall:
    """``targets = helper(arguments)``, with arguments as texts; ``statement`` if it is in the source."""

    helper: Helper
    arguments: tuple[str, ...]
    statement: ast.Assign | None = None


@dataclass
class Lifting:
    """Everything that one method gets: helper calls to guard and calls to extend.

    ``wrapped`` are the helpers that an inner encoder calls itself if it is not given their results,
    ``rows`` the number of rows at each guard, once it was looked for.
    """

    cls: ClassInfo
    function: Function
    calls: dict[str, HelperCall] = field(default_factory=dict)
    before: dict[str, ast.stmt] = field(default_factory=dict)
    extended: dict[int, tuple[ast.Call, list[str]]] = field(default_factory=dict)
    paths: dict[str, tuple[str, ...]] = field(default_factory=dict)
    wrapped: set[str] = field(default_factory=set)
    rows: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Class and method, for the report."""
        return f"{self.cls.name}.{self.function.name}"

    def path(self, helper: str) -> tuple[str, ...]:
        """Methods that the results of a helper pass through, the innermost first."""
        return self.paths.get(helper, (self.place,))

    @property
    def names(self) -> list[str]:
        """Names of the optional parameters."""
        return [name for call in self.calls.values() for name in call.helper.outputs]


def lift(state: RewriteState) -> None:
    """Lift every helper call of the state."""
    sink_computations(state)
    fixed = hoist_positions(state)
    lifter = Lifter(state)
    lifter.collect(fixed)
    lifter.thread()
    lifter.write()
    thread_keywords(state)
    state.settle()


class Lifter:
    """Liftings of methods, keyed by the identity of the function node."""

    def __init__(self, state: RewriteState) -> None:
        self.state = state
        self.index = state.index
        self.liftings: dict[int, Lifting] = {}

    def collect(self, fixed: Collection[tuple[str, str]]) -> None:
        """Find the helper calls that extraction left, but for modules whose parameters are fixed."""
        for cls, function in self._methods():
            if function.name == "forward" and (cls.module.source.module, cls.name) in fixed:
                continue
            if not any(name in cls.module.segment(function) for name in LIFTED):
                continue
            for statement in function.body:
                call = helper_call(statement)
                if call is not None:
                    self._lifting(cls, function).calls[call.helper.name] = call

    def _methods(self) -> Iterator[tuple[ClassInfo, Function]]:
        for info in self.state.candidates():
            for cls in self.state.classes(info):
                for function in cls.methods.values():
                    yield cls, function

    def _lifting(self, cls: ClassInfo, function: Function) -> Lifting:
        return self.liftings.setdefault(id(function), Lifting(cls, function))

    def thread(self) -> None:
        """Carry parameters to the callers until nothing changes."""
        self._drop_unsafe()
        sites = self._call_sites()
        changed = True
        while changed:
            changed = False
            for cls, function, statement, call, target, this in sites:
                lifting = self.liftings.get(id(target))
                if lifting is not None and self._carry(
                    cls, function, statement, call, lifting, this
                ):
                    changed = True

    def _drop_unsafe(self) -> None:
        """A method that a subclass overrides without lifting keeps its signature."""
        for cls, function in list(self._methods()):
            if function.name == "forward" or id(function) in self.liftings:
                continue
            for ancestor in self.index.mro(cls)[1:]:
                overridden = ancestor.methods.get(function.name)
                if overridden is not None and id(overridden) in self.liftings:
                    del self.liftings[id(overridden)]
                    info = cls.module
                    self.state.note(
                        Record(
                            model_of(info.source.module),
                            cls.name,
                            function.name,
                            "left",
                            info.place(function),
                            reason=f"overrides {ancestor.name}.{function.name} and is not understood: not lifted there",
                        )
                    )

    def _call_sites(self) -> list[tuple[ClassInfo, Function, ast.stmt, ast.Call, Function, str]]:
        """Calls of own methods and of submodules without ``**kwargs``, with their target."""
        sites = []
        for cls, function in self._methods():
            if _SIZES.search(cls.module.segment(function)) is None:
                continue
            for statement in function.body:
                for call in walk(statement):
                    if isinstance(call, ast.Call) and (name := self_attribute(call.func)):
                        target = self._target(cls, name, call)
                        if target is not None:
                            sites.append((cls, function, statement, call, *target))
        return sites

    def _target(self, cls: ClassInfo, name: str, call: ast.Call) -> tuple[Function, str] | None:
        method = self.index.method(cls, name)
        if method is not None:
            return method[1], "self"
        if any(keyword.arg is None for keyword in call.keywords):
            return None
        submodule = self.index.submodule(cls, name)
        forward = self.index.method(submodule, "forward") if submodule is not None else None
        return (forward[1], f"self.{name}") if forward is not None else None

    def _carry(
        self,
        cls: ClassInfo,
        function: Function,
        statement: ast.stmt,
        call: ast.Call,
        lifting: Lifting,
        this: str,
    ) -> bool:
        """Compute what a called method wants in the caller and pass it; True if that is new."""
        bound = bind_arguments(call, lifting.function, cls.module.text)
        own = self._lifting(cls, function)
        changed = False
        for name, wanted in lifting.calls.items():
            done = own.extended.setdefault(id(call), (call, []))[1]
            if set(wanted.helper.outputs) <= set(done):
                continue
            arguments = [substitute(text, bound, this) for text in wanted.arguments]
            if any(text is None for text in arguments):
                continue
            done += wanted.helper.outputs
            changed = True
            if name not in own.calls:
                own.calls[name] = HelperCall(
                    wanted.helper, tuple(t for t in arguments if t is not None)
                )
                own.before[name] = statement
                if this != "self":
                    own.wrapped.add(name)
                own.paths[name] = (*lifting.path(name), own.place)
        if not own.calls:
            del self.liftings[id(function)]
        return changed

    # -- writing ----------------------------------------------------------------------------------

    def write(self) -> None:
        """Queue the edits of all liftings and report them."""
        by_module: dict[str, list[Lifting]] = defaultdict(list)
        names = {info.source.module for info in self.state.candidates()}
        for lifting in self.liftings.values():
            by_module[lifting.cls.module.source.module].append(lifting)
        for module, liftings in by_module.items():
            info = self.index.get(module)
            if info is None or module not in names:
                continue
            edits = [edit for lifting in liftings for edit in self._edits(lifting)]
            self.state.edit(info, edits)
            for lifting in liftings:
                for name, call in lifting.calls.items():
                    if self._is_handed_on(lifting, name):
                        continue
                    self.state.need(info, name)
                    for line in check_lines(call, self._rows(lifting, name)):
                        for needed in re.findall(r"(\w+)\(", line):
                            self.state.need(info, needed)

    def _edits(self, lifting: Lifting) -> list[Edit]:
        text, function = lifting.cls.module.text, lifting.function
        edits = signature_edits(text, function, lifting.names)
        edits += docstring_edits(text, function, lifting.names)
        inserted: dict[int, list[str]] = defaultdict(list)
        for name, call in lifting.calls.items():
            if self._is_handed_on(lifting, name):
                continue
            lines = guard_lines(call, self._rows(lifting, name))
            if call.statement is not None:
                start, end = text.statement_lines(call.statement)
                edits.append(Edit(start, end, block(lines, " " * call.statement.col_offset)))
            else:
                inserted[text.statement_lines(lifting.before[name])[0]] += lines
        for place, lines in inserted.items():
            edits.append(Edit(place, place, block(lines, " " * function.body[0].col_offset)))
        for call_node, names in lifting.extended.values():
            edits += keyword_edit(text, call_node, names)
        self._note(lifting)
        return edits

    def _note(self, lifting: Lifting) -> None:
        info = lifting.cls.module
        for call in lifting.calls.values():
            self.state.note(
                Record(
                    model_of(info.source.module),
                    lifting.cls.name,
                    lifting.function.name,
                    "lifted",
                    info.place(lifting.function),
                    call.helper.name,
                    call.helper.outputs,
                    lifting.path(call.helper.name),
                )
            )

    def _is_handed_on(self, lifting: Lifting, name: str) -> bool:
        """Tell whether the inner encoder knows the number of rows and the method does not."""
        return name in lifting.wrapped and not self._rows(lifting, name)

    def _rows(self, lifting: Lifting, name: str) -> str:
        """The number of rows, where the helper call ``name`` is guarded."""
        if name not in lifting.rows:
            before = lifting.calls[name].statement or lifting.before[name]
            found = rows_expression(self.index, lifting.cls, lifting.function, before)
            lifting.rows[name] = found
        return lifting.rows[name]


def helper_call(statement: ast.stmt) -> HelperCall | None:
    """The helper call of ``a, b = helper(...)``, if its targets carry the canonical names."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return None
    function = statement.value.func
    if not isinstance(function, ast.Name) or function.id not in LIFTED or statement.value.keywords:
        return None
    target = statement.targets[0]
    parts = target.elts if isinstance(target, ast.Tuple) else [target]
    helper = LIFTED[function.id]
    if tuple(getattr(part, "id", "") for part in parts) != helper.outputs:
        return None
    return HelperCall(helper, tuple(ast.unparse(arg) for arg in statement.value.args), statement)


def guard_lines(call: HelperCall, rows: str) -> list[str]:
    """Lines that compute a helper's results unless they were given, and check those that were."""
    outputs, total = call.helper.outputs, call.helper.total
    test = " or ".join(f"{name} is None" for name in outputs)
    arguments = ", ".join((*call.arguments, *([f"{total}={rows}"] if total and rows else ())))
    line = f"    {', '.join(outputs)} = {call.helper.name}({arguments})"
    lines = [f"if {test}:", line]
    if len(line) + 8 > 119:
        opening = f"    {', '.join(outputs)} = {call.helper.name}("
        lines = [f"if {test}:", opening, f"        {arguments}", "    )"]
    checks = check_lines(call, rows)
    return [*lines, "else:", *[f"    {check}" for check in checks]] if checks else lines


def check_lines(call: HelperCall, rows: str) -> list[str]:
    """Calls that refuse given results of another size, as far as the size is known in the method."""
    law = call.arguments[1] if len(call.arguments) > 1 else "halved_lengths"
    args = [a if re.fullmatch(r"[\w.]+", a) else f"({a})" for a in call.arguments]
    return [
        template.format(args=args, rows=rows, law=law)
        for template in call.helper.checks
        if rows or "{rows}" not in template
    ]
