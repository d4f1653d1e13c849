"""The library's own method for placeholders, ``ProcessorMixin.get_text_with_replacements``, on the helper.

Since release 5.10 the mixin has the method; it builds offsets whether or not they are asked for and ends
in a bare StopIteration where an item is missing. It is looked at by running it: only what gives the texts
of one pass is replaced.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from codegen.rewrite.emit.edits import (
    AddKeywords,
    AddOption,
    Change,
    Edit,
    Insert,
    Replace,
    Site,
    body_start,
)
from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import target_of, walk
from codegen.rewrite.state import RewriteState
from codegen.rewrite.tokens.asking import HELPER, OPTION
from codegen.rewrite.tokens.machine import Machine
from codegen.rewrite.tokens.prefilter import is_generated
from codegen.rewrite.tokens.scopes import Closure, Raised
from codegen.rewrite.tokens.subject import MIXIN, Subject
from codegen.rewrite.tokens.terms import Unsupported, World
from codegen.rewrite.values import Record, model_of
from codegen.trees.names import HELPERS

MODULE = "processing_utils"
_ASKED = "return_replacement_offsets"
_NAMES = ("images_replacements", "videos_replacements", "audio_replacements")
_TEXTS = ("", "⟨i⟩", "a⟨v⟩b⟨i⟩⟨i⟩", "⟨a⟩\n⟨i⟩⟨a⟩ \\g<0>", "none")
_GIVEN: tuple[tuple[list[str], list[str], list[str]], ...] = (
    (["x", "yy", "⟨v⟩", "z"], [], []),
    (["x", "yy", "⟨v⟩", "z"], ["w"], ["⟨i⟩", "u"]),
    ([], [], []),
    (["x", "", "y", "z", "more"], ["w", "more"], []),
)


def find_mixin(state: RewriteState) -> ClassInfo | None:
    """The library's mixin if it has the method."""
    roots = {module.partition(".")[0] for module in state.index.library.modules()}
    for root in sorted(roots):
        source = state.index.library.read(f"{root}.{MODULE}")
        if source is None or f"def {HELPER}(" not in source.text:
            continue
        info = state.index.open(f"{root}.{MODULE}")
        if info is not None and MIXIN in info.classes:
            return ClassInfo(info, info.classes[MIXIN])
    return None


def delegates(mixin: ClassInfo) -> bool:
    """Whether the method is on the helper already."""
    return f".{HELPERS} import {HELPER}" in mixin.module.segment(mixin.methods[HELPER])


def move_mixin(state: RewriteState, mixin: ClassInfo) -> bool:
    """Propose to put the method on the helper; False, with a record, where it is not what it should be."""
    method = mixin.methods[HELPER]
    problem = _differs(state, mixin, method)
    if problem:
        state.note(_record(mixin, "left", problem))
        return False
    sites = [Site(mixin, method, tuple(_edits(method)))]
    call = mixin.methods.get("__call__")
    edits = (*_asking(call), *_flat_option(call)) if call is not None else ()
    if call is not None and edits:
        sites.append(Site(mixin, call, edits))
    record = _record(
        mixin, "extracted", "offsets only where they are asked for, ValueError for a missing item"
    )
    state.propose(Change("expand", tuple(sites), (), (record,)))
    return True


def _edits(method: Function) -> Iterator[Edit]:
    for kind in ("image", "video", "audio"):
        yield AddOption(f"{kind}_token=None")
    yield AddOption(f"{_ASKED}=False")
    first = body_start(method)
    body = tuple(method.body[method.body.index(first) :])
    lines = [f"from .{HELPERS} import {HELPER}", ""]
    given = []
    for kind, name in zip(("image", "video", "audio"), _NAMES):
        lines.append(f"if {kind}_token is None:")
        lines.append(f'    {kind}_token = getattr(self, "{kind}_token", None)')
        given += [
            f"    {kind}_token={kind}_token,",
            f"    {name}={name} if {kind}_token is not None else None,",
        ]
    lines += [f"return {HELPER}(", "    text,", *given]
    lines += [f"    {_ASKED}={_ASKED},", "    allow_surplus=True,", ")"]
    yield Replace(body, tuple(lines))


def _asking(function: Function) -> Iterator[Edit]:
    """Calls of the method say whether they want offsets: as an option says, where nothing else uses them."""
    for statement in walk(function):
        if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
            continue
        call = statement.value
        if call not in list(_calls(function)) or any(k.arg == _ASKED for k in call.keywords):
            continue
        target = target_of(statement)
        names = [getattr(item, "id", "") for item in getattr(target, "elts", ())]
        if len(names) != 2:
            yield AddKeywords(call, (f"{_ASKED}=True",))
        elif uses := [n for n in walk(function) if _reads(n, names[1])]:
            asked = [n for test in _tests(function) for n in walk(test) if _reads(n, names[1])]
            wanted = OPTION if {*map(id, uses)} <= {*map(id, asked)} else "True"
            yield AddKeywords(call, (f"{_ASKED}={wanted}",))


def _flat_option(function: Function) -> Iterator[Edit]:
    """The option that says whether offsets are wanted may stand among the keywords themselves, too.

    Where keywords are sorted by kind it is not known, and dropped without a word.
    """
    keywords = function.args.kwarg
    if keywords is None or f'{keywords.arg}.get("{OPTION}"' in ast.unparse(function).replace(
        "'", '"'
    ):
        return
    for statement in walk(function):
        if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
            continue
        made, target = statement.value, target_of(statement)
        taken = isinstance(made.func, ast.Attribute) and made.func.attr == "pop" and made.args
        if taken and isinstance(target, ast.Name) and _says(made.args[0], OPTION):
            head = f"{target.id} = {keywords.arg}.get("
            lines = (head, f'    "{OPTION}", {target.id}', ")")
            yield Insert(statement, lines, behind=True)


def _says(node: ast.expr, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


def _reads(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)


def _tests(function: Function) -> Iterator[ast.stmt]:
    """Statements that run only where offsets were asked for."""
    for node in walk(function):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == OPTION:
            yield from node.body


def _calls(function: Function) -> Iterator[ast.Call]:
    for node in walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"self.{HELPER}":
            yield node


def ask_for_offsets(state: RewriteState, info: ModuleInfo) -> None:
    """Let processors that use the offsets of the library's method ask for them."""
    for node in info.classes.values():
        cls = ClassInfo(info, node)
        for function in cls.methods.values():
            if function.name == HELPER or HELPER not in info.segment(function):
                continue
            edits = (*_asking(function), *_flat_option(function))
            if edits:
                record = Record(
                    model_of(info.source.module),
                    cls.name,
                    function.name,
                    "extracted",
                    info.place(function),
                    helper=HELPER,
                    reason="it asks for the offsets that it uses",
                )
                state.propose(Change("expand", (Site(cls, function, edits),), (), (record,)))


def hand_on_option(state: RewriteState, mixin: ClassInfo) -> None:
    """Let calls that sort their keywords by kind before they call the library's own hand on who wants offsets.

    Where the library knows the option as one for texts, sorting keeps it.
    """
    if f"\n    {OPTION}:" in mixin.module.source.text:
        return
    for module in state.index.library.modules():
        source = state.index.library.read(module)
        wanted = module.rpartition(".")[2].startswith(("modular_", "processing_"))
        if source is None or not wanted or is_generated(source.text):
            continue
        if "super().__call__(" not in source.text or "_merge_kwargs(" not in source.text:
            continue
        info = state.index.open(module)
        for node in info.classes.values() if info is not None else ():
            assert info is not None
            cls = ClassInfo(info, node)
            call = cls.methods.get("__call__")
            edits = tuple(_handing_on(call)) if call is not None else ()
            if call is not None and edits:
                reason = "it hands on whether offsets are asked for"
                name, place = model_of(info.source.module), info.place(call)
                record = Record(
                    *(name, cls.name, "__call__", "extracted", place), helper=HELPER, reason=reason
                )
                state.propose(Change("expand", (Site(cls, call, edits),), (), (record,)))


def _handing_on(call: Function) -> Iterator[Edit]:
    """The lines behind ``merged = self._merge_kwargs(...)`` where ``super().__call__(**merged)`` gets nothing else."""
    keywords = call.args.kwarg
    if keywords is None or OPTION in ast.unparse(call):
        return
    handed = {
        keyword.value.id
        for node in walk(call)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__call__"
        for keyword in node.keywords
        if keyword.arg is None and isinstance(keyword.value, ast.Name)
    }
    for statement in walk(call):
        value = statement.value if isinstance(statement, ast.Assign) else None
        if not isinstance(value, ast.Call) or ast.unparse(value.func) != "self._merge_kwargs":
            continue
        assert isinstance(statement, ast.Assign)
        merged = target_of(statement)
        if isinstance(merged, ast.Name) and merged.id in handed - {keywords.arg}:
            head = f'if "{OPTION}" in {keywords.arg}:'
            value_of = f'    {merged.id}["text_kwargs"]["{OPTION}"] = {keywords.arg}['
            lines = (head, value_of, f'        "{OPTION}"', "    ]")
            yield Insert(statement, lines, behind=True)


def _differs(state: RewriteState, mixin: ClassInfo, method: Function) -> str:
    """Why the method is not one pass over the texts; empty if it is."""
    if parameters(method) != ["self", "text", *_NAMES][: len(parameters(method))] or len(
        parameters(method)
    ) not in (4, 5):
        return "its parameters are not those of the releases"
    subject = Subject(state.index, mixin)
    for number, given in enumerate(_GIVEN):
        machine = Machine(subject, World(number))
        tokens = {"image_token": "⟨i⟩", "video_token": "⟨v⟩", "audio_token": "⟨a⟩"}
        machine.instance.attributes.update(tokens)
        arguments = dict(zip(_NAMES, ([*items] for items in given)))
        try:
            result = machine.call(Closure(method, owner=machine.instance), ([*_TEXTS],), arguments)
            texts = list(result[0])
        except (Unsupported, Raised, TypeError, IndexError) as error:
            return f"it cannot be followed: {error}"
        if texts != _one_pass(given):
            return "it gives other texts than one pass over the placeholders"
    return ""


def _one_pass(given: tuple[list[str], list[str], list[str]]) -> list[str]:
    iterators = {token: iter(items) for token, items in zip(("⟨i⟩", "⟨v⟩", "⟨a⟩"), given) if items}
    pattern = re.compile("|".join(iterators) or r"(?!)")
    return [pattern.sub(lambda match: next(iterators[match[0]]), text) for text in _TEXTS]


def _record(mixin: ClassInfo, kind: str, reason: str) -> Record:
    place = mixin.module.place(mixin.methods[HELPER])
    return Record(MODULE, MIXIN, HELPER, kind, place, helper=HELPER, reason=reason)
