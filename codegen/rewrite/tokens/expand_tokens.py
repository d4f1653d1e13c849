"""The pass: find expansion in processors, propose to move it, and make the move where it is shown equal."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codegen.rewrite.library import ClassInfo, ModuleInfo
from codegen.rewrite.settle import Settled, settle
from codegen.rewrite.state import RewriteState
from codegen.rewrite.tokens.evidence import difference
from codegen.rewrite.tokens.mixin import ask_for_offsets, delegates, find_mixin, move_mixin
from codegen.rewrite.tokens.moves import HELPER, Move, Unmovable, change_of, plan
from codegen.rewrite.tokens.prefilter import is_generated, may_hold_expansion
from codegen.rewrite.tokens.sites import MODALITIES, Site, find_sites
from codegen.rewrite.tokens.subject import MIXIN, Subject, parents
from codegen.rewrite.values import Record, model_of


def expand_tokens(state: RewriteState) -> None:
    """Move the expansion of placeholders to the shared helper, in all processors of the library."""
    mixin = find_mixin(state)
    has_method = mixin is not None
    if mixin is not None:
        has_method = delegates(mixin) or move_mixin(state, mixin)
        state.settle()
        if has_method:
            state.required.add(HELPER)
    for info in processors(state):
        if has_method and HELPER in info.source.text:
            ask_for_offsets(state, info)
        state.settle()
        for name in info.classes:
            # Every class that is moved gives another version of the file.
            current = state.index.open(info.source.module)
            if current is None or name not in current.classes:
                continue
            cls = ClassInfo(current, current.classes[name])
            if _may_be_processor(cls) and _is_processor(state, cls):
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


def _move(state: RewriteState, cls: ClassInfo, has_method: bool) -> None:
    """Move what a class expands, if that can be shown to be the same."""
    sites = [site for function in cls.methods.values() for site in find_sites(function)]
    if not sites:
        return
    try:
        if any(f"replace_{kind}_token" in cls.methods for kind in MODALITIES):
            raise Unmovable("it has a method replace_..._token already")
        moves = [plan(cls.module, site) for site in sites]
        change = change_of(cls, moves, has_method)
    except Unmovable as reason:
        state.note(_left(cls, sites[0], str(reason)))
        return
    if not state.permits(change):
        return
    trial = settle([change], state.settings.helper_package)
    problem = _unequal(state, cls, moves, trial)
    if problem:
        state.note(_left(cls, sites[0], problem))
        return
    state.adopt(trial)
    for record in _faults(cls, sites):
        state.note(record)


def _unequal(state: RewriteState, cls: ClassInfo, moves: list[Move], trial: Settled) -> str:
    """Why what was written is not shown to keep what the processor does; empty if it is."""
    failed = [record.reason for record in trial.records if record.kind == "failed"]
    new = next((m for m in trial.modules if m.source.module == cls.module.source.module), None)
    if failed or new is None:
        return failed[0] if failed else "nothing was written"
    after = Subject(state.index, ClassInfo(new, new.classes[cls.name]))
    tokens = [move.token for move in moves]
    covered = {move.modality for move in moves}
    # Placeholders that no move is about stand in the prompts, too.
    written = cls.module.segment(cls.node)
    tokens += [
        f"self.{kind}_token"
        for kind in MODALITIES
        if kind not in covered and f"self.{kind}_token" in written
    ]
    statements: list[ast.stmt] = [s for move in moves for s in _inner(move.site)]
    nested = any(move.site.each[0] for move in moves)
    return difference(Subject(state.index, cls), after, tokens, statements, nested)


def _inner(site: Site) -> Iterator[ast.stmt]:
    """Statements that have to have run for a comparison to count."""
    if site.item:
        yield from site.item
        return
    loops = (node for node in ast.walk(site.start) if isinstance(node, ast.While))
    yield next((node.body[0] for node in loops), site.start)


def _faults(cls: ClassInfo, sites: list[Site]) -> Iterator[Record]:
    """What was wrong before, and what becomes of it."""
    for site in sites:
        if site.sentinels:
            marks = ", ".join(dict.fromkeys(site.sentinels))
            yield _left(
                cls, site, f"a text with {marks} in it was changed before, and is not any more"
            )


def _left(cls: ClassInfo, site: Site, reason: str) -> Record:
    info = cls.module
    return Record(
        model_of(info.source.module),
        cls.name,
        site.function.name,
        "left",
        info.place(site.start),
        helper=HELPER,
        reason=reason,
    )
