"""The pass: find expansion in processors, propose to move it, and make the move where it is shown equal."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.state import RewriteState
from codegen.rewrite.tokens.asking import HELPER, Style
from codegen.rewrite.tokens.changes import change_of
from codegen.rewrite.tokens.evidence import difference
from codegen.rewrite.tokens.faults import faults, left
from codegen.rewrite.tokens.mixin import (
    ask_for_offsets,
    delegates,
    find_mixin,
    hand_on_option,
    move_mixin,
)
from codegen.rewrite.tokens.names import Unmovable
from codegen.rewrite.tokens.plans import Move, plan
from codegen.rewrite.tokens.prefilter import is_generated, may_hold_expansion
from codegen.rewrite.tokens.sites import MODALITIES, Site, find_sites, may_stay
from codegen.rewrite.tokens.subject import MIXIN, Subject, parents
from codegen.rewrite.tokens.unknown import unknown_form
from codegen.rewrite.tokens.without_call import drop_call
from codegen.rewrite.values import Record

if TYPE_CHECKING:
    from codegen.rewrite.settle import Settled


def expand_tokens(state: RewriteState) -> None:
    """Move the expansion of placeholders to the shared helper, in all processors of the library."""
    mixin = find_mixin(state)
    has_method = mixin is not None
    if mixin is not None:
        has_method = delegates(mixin) or move_mixin(state, mixin)
        state.settle()
        if has_method:
            state.required.add(HELPER)
    found = list(processors(state))
    done: set[tuple[str, str]] = set()
    for info in found:
        if has_method and HELPER in info.source.text:
            ask_for_offsets(state, info)
    if has_method and mixin is not None:
        hand_on_option(state, mixin)
    state.settle()
    files = {info.source.module for info in found}
    for info in found:
        for name in info.classes:
            _move_with_parents(state, info.source.module, name, has_method, files, done)


def _move_with_parents(
    state: RewriteState,
    module: str,
    name: str,
    has_method: bool,
    files: Collection[str],
    done: set[tuple[str, str]],
) -> None:
    """Move a class if it is a processor; its parents in front, whose ``__call__`` may call its methods."""
    # Every class that is moved gives another version of its file.
    current = state.index.open(module)
    if (module, name) in done or current is None or name not in current.classes:
        return
    done.add((module, name))
    cls = ClassInfo(current, current.classes[name])
    if module not in files or not _may_be_processor(cls) or not _is_processor(state, cls):
        return
    for parent in list(parents(state.index, cls)):
        place = parent.module.source.module
        _move_with_parents(state, place, parent.name, has_method, files, done)
    current = state.index.open(module)
    assert current is not None
    cls = ClassInfo(current, current.classes[name])
    with state.attempt("expand", cls):
        _move(state, cls, has_method)


def processors(state: RewriteState) -> Iterator[ModuleInfo]:
    """Files that may hold a processor with an expansion of its own, definitions in front of their files."""
    library = state.index.library
    seen: set[str] = set()
    packages = set()
    for module in library.modules():
        package, _, last = module.rpartition(".")
        packages.add(package)
        if last.startswith(("modular_", "processing_")):
            source = library.read(module)
            if source is not None and may_hold_expansion(source.text):
                seen.add(module)
                info = state.index.open(module)
                if info is not None:
                    yield info
    defined = {module.rpartition(".")[0] for module in seen}
    for package in sorted(packages - defined):
        module = f"{package}.processing_{package.rpartition('.')[2]}"
        source = library.read(module) if module not in seen else None
        if source is None or is_generated(source.text):
            continue  # what is generated follows its definition
        if may_hold_expansion(source.text):
            info = state.index.open(module)
            if info is not None:
                yield info


def _may_be_processor(cls: ClassInfo) -> bool:
    """Cheap test before its parents are looked up."""
    bases = [getattr(base, "id", "") for base in cls.node.bases]
    return any(name == MIXIN or name.endswith("Processor") for name in bases)


def _is_processor(state: RewriteState, cls: ClassInfo) -> bool:
    """Tell a processor from what it is made of: it is derived from the mixin."""
    pending, seen = [cls], 0
    while pending and seen < 20:
        current = pending.pop()
        seen += 1
        if any(getattr(base, "id", "") == MIXIN for base in current.node.bases):
            return True
        pending += parents(state.index, current)
    return False


_left_before: WeakKeyDictionary[ModuleInfo, dict[tuple[str, bool], Record | None]] = (
    WeakKeyDictionary()
)
"""What was left of a file as it is: a second run over it comes to the same."""


def _move(state: RewriteState, cls: ClassInfo, has_method: bool) -> None:
    """Move what a class expands, if that can be shown to be the same."""
    known = _left_before.setdefault(cls.module, {})
    key = (cls.name, has_method)
    if key in known:
        before = known[key]
        if before is not None:
            state.note(before)
        return
    reason: Record | None = None
    tried: list[tuple[tuple[str, ...], Style]] = []
    functions = cls.methods.values()
    for stay in (False, True):
        if stay and not any(may_stay(cls.module, function) for function in functions):
            break  # the same sites once more
        sites = [s for function in functions for s in find_sites(cls.module, function, stay)]
        for style in _styles(sites, stay):
            form = tuple(site.kept or site.rest for site in sites), replace(style, stay=False)
            if form in tried:
                continue
            tried.append(form)
            problem = _moved(state, cls, sites, has_method, style)
            if not problem:
                return
            if reason is None or not stay:
                reason = left(cls, sites[0], problem)
    if reason is None and not tried:
        reason = unknown_form(cls, [])
    known[key] = reason
    if reason is not None:
        state.note(reason)


def _styles(sites: list[Site], stay: bool) -> Iterator[Style]:
    """How a class with such sites could be written, the plainest first."""
    if not sites:
        return
    for separate in (False, True)[: 1 + (len(sites) > 1)]:
        for follow in (False, True)[: 1 + any(site.rest for site in sites)]:
            yield Style(stay, separate, follow)


def _collecting(state: RewriteState, cls: ClassInfo) -> set[str]:
    """Methods that the ``__call__`` of a parent calls with a list for offsets."""
    subject = Subject(state.index, cls)
    found = set()
    for parent in subject.line[1:]:
        call = parent.methods.get("__call__")
        for node in walk(call) if call is not None else ():
            unpacked = [k.value for k in getattr(node, "keywords", ()) if k.arg is None]
            if isinstance(node, ast.Call) and any(
                getattr(v, "id", "") == "collected" for v in unpacked
            ):
                found.add(getattr(node.func, "attr", ""))
    return found


def _moved(
    state: RewriteState, cls: ClassInfo, sites: list[Site], has_method: bool, style: Style
) -> str:
    """Move sites of a class; why that was not done, empty where it was."""
    from codegen.rewrite.settle import (
        settle,  # loads libcst: only where there is something to write
    )

    try:
        if any(f"replace_{kind}_token" in cls.methods for kind in MODALITIES):
            raise Unmovable("it has a method replace_..._token already")
        unknown = unknown_form(cls, sites)
        if unknown is not None:
            line = unknown.location.rpartition(":")[2]
            raise Unmovable(f"line {line}: {unknown.reason}")
        moves = [plan(cls, site) for site in sites]
        change = change_of(cls, moves, has_method, _collecting(state, cls), style)
    except Unmovable as reason:
        return str(reason)
    if not state.permits(change):
        return ""
    trial = settle([change], state.settings.helper_package, state.optional)
    remarks: set[str] = set()
    problem = _unequal(state, cls, moves, trial, remarks)
    if problem:
        return problem
    state.adopt(trial)
    for record in (*faults(cls, sites), *(left(cls, sites[0], said) for said in sorted(remarks))):
        state.note(record)
    if has_method and "__call__" in cls.methods:
        drop_call(state, cls, [t for move in moves for t in _alternatives(move.token)])
    return ""


def _unequal(
    state: RewriteState, cls: ClassInfo, moves: list[Move], trial: Settled, remarks: set[str]
) -> str:
    """Why what was written is not shown to keep what the processor does; empty if it is."""
    failed = [record.reason for record in trial.records if record.kind == "failed"]
    new = next((m for m in trial.modules if m.source.module == cls.module.source.module), None)
    if failed or new is None:
        missing = re.search(r"uses (.+), which nothing defines", failed[0] if failed else "")
        if missing:
            return f"what a placeholder becomes is computed with {missing[1]}, which belongs to the loop"
        return failed[0] if failed else "nothing was written"
    after = Subject(state.index, ClassInfo(new, new.classes[cls.name]))
    tokens = [token for move in moves for token in _alternatives(move.token)]
    tokens += [t for move in moves for _, other in move.others for t in _alternatives(other)]
    covered = {m.modality for m in moves} | {kind for m in moves for kind, _ in m.others}
    # Placeholders that no move is about stand in the prompts, too.
    written = cls.module.segment(cls.node)
    others = [
        f"self.{kind}_token"
        for kind in MODALITIES
        if kind not in covered and f"self.{kind}_token" in written
    ]
    statements: list[ast.stmt] = [s for move in moves for s in _inner(move.site)]
    nested = any(any(m.site.each) or (m.site.kept and m.site.texts[0] == "[") for m in moves)
    return difference(Subject(state.index, cls), after, tokens, statements, nested, others, remarks)


def _alternatives(token: str) -> list[str]:
    """The placeholders that an expression stands for."""
    node = ast.parse(token, mode="eval").body
    both = [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]
    return [ast.unparse(one) for one in (node.elts if isinstance(node, ast.Tuple) else both)]


def _inner(site: Site) -> Iterator[ast.stmt]:
    """Statements that have to have run for a comparison to count."""
    if site.item:
        yield from site.item
        return
    if site.seen is not None:
        yield site.seen
        return
    loops = (node for node in ast.walk(site.start) if isinstance(node, ast.While))
    yield next((node.body[0] for node in loops), site.start)
