"""The state that passes share: parsed sources, pending edits and imports, the report."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, cached_property
from os.path import commonprefix
from pathlib import PurePath
from typing import TYPE_CHECKING

from codegen.rewrite.answered import find_answered
from codegen.rewrite.central import central_changes, without_repeated
from codegen.rewrite.emit.edits import Change
from codegen.rewrite.functions import Function, parameters
from codegen.rewrite.given_lines import line_before
from codegen.rewrite.helper_entry import VISION
from codegen.rewrite.helpers import HELPER_MODULES, helper_path
from codegen.rewrite.keep import Kept, find_kept
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.report import Place, broken, failure, method_of, place_of, too_deep
from codegen.rewrite.values import Library, Record, Settings, Source, model_of
from codegen.trees.names import HELPERS

if TYPE_CHECKING:
    from codegen.rewrite.settle import Settled

SHARED = ("vision_utils", HELPERS)
"""Endings of modules that give encoders such helpers: those of a tree's own, and ours."""

_SHARED_NAMES = "get_vision_"
"""How the names of such helpers begin."""

_BASES = re.compile(r"class (\w+)\(((?:#[^\n]*|[^:#])*)\)\s*:")
"""A class and words among which its bases are: it may inherit, which its tree then tells.

What begins with plain text is found much sooner.
"""
_IMPORTED = re.compile(r"from [\w.]+ import (\([^)]*\)|[^\n]*)")
_RENAMED = re.compile(r"(\w+)\s+as\s+(\w+)")
_ASSIGNED = re.compile(r"\n(\w+) = ([\w.]+)\n")
"""Further names that a file may give to a class."""
_WORD = re.compile(r"\w+")


class RewriteState:
    """Texts on their way through the passes.

    ``again`` is the state whose texts are looked at once more, only to see whether they change: then
    what it has parsed is used, and nothing is reported.
    """

    def __init__(
        self,
        library: Library,
        settings: Settings,
        refused: Mapping[Place, str] | None = None,
        again: RewriteState | None = None,
    ) -> None:
        self.settings = settings
        self.reports = again is None
        self.refused = refused or {}
        self.required: set[str] = set()
        self._may_matter: Callable[[str], bool] = (
            cache(settings.vocabulary.may_matter) if again is None else again._may_matter
        )
        self.index = Index(library, self._may_matter, settings.vocabulary)
        if again is not None:
            self.index.take(again.index)
        self.records: list[Record] = []
        self._names = [m for m in library.modules() if self._is_candidate(library, m)]
        self._origins: dict[tuple[str, str, str], int] = {}
        self._modules_by_path = {path: module for module, path in library.modules().items()}
        self.shared = self._shared_elsewhere(library)
        self._changes: list[Change] = []
        self._inheriting: list[str] | None = None
        self._inherited: tuple[tuple[int, int], list[ClassInfo]] = ((-1, -1), [])
        self._kept = find_kept(self.index, settings.keep)
        self.records += self._kept.records

    def _is_candidate(self, library: Library, module: str) -> bool:
        source = library.read(module)
        return source is not None and self._may_matter(source.text)

    def _shared_elsewhere(self, library: Library) -> bool:
        """Tell whether the tree already has such helpers of its own, and report the files that use them."""
        found = False
        for module in list(self._names):
            source = library.read(module)
            origin = self._shared_origin(module, source.text) if source is not None else ""
            if source is None or not origin:
                continue
            ours = origin.endswith((VISION, HELPERS))
            if PurePath(source.path).is_absolute():  # an installed parent is as it is
                self._names.remove(module)
            else:
                found = found or not ours
            self.note(
                Record(
                    model_of(module),
                    "",
                    "",
                    "left",
                    f"{source.path}:1",
                    reason="the tensors already come from shared functions"
                    + ("" if ours else " of this tree"),
                )
            )
        return found

    def _shared_origin(self, module: str, text: str) -> str:
        """The module from which a file imports such helpers, empty if it does not."""
        if _SHARED_NAMES not in text or not any(word in text for word in SHARED):
            return ""
        info = self.index.get(module)
        for node in info.all_imports if info is not None else ():
            names = [alias.name for alias in node.names]
            origin = getattr(node, "module", "") or ""
            if origin.endswith(SHARED) and any(name.startswith(_SHARED_NAMES) for name in names):
                return str(origin)
        return ""

    def candidates(self) -> list[ModuleInfo]:
        """Modules that may hold something to rewrite, as they are now."""
        found = [info for name in self._names if (info := self.index.get(name)) is not None]
        for name in [name for name in self._names if name in self.index.unreadable]:
            self._names.remove(name)
            self._note_unreadable(name)
        if not self._origins:
            for info in found:
                for cls in self.classes(info):
                    for name, function in cls.methods.items():
                        self._origins[info.source.path, cls.name, name] = function.lineno
        return found

    def _note_unreadable(self, module: str) -> None:
        source = self.index.library.read(module)
        line, why = self.index.unreadable[module]
        path = source.path if source is not None else ""
        reason = f"not looked at: as Python it cannot be read ({why})"
        record = Record(model_of(module), "", "", "left", f"{path}:{line or 1}", reason=reason)
        self.records.append(record)

    def others(self) -> Iterator[Source]:
        """The other files that could be rewritten, in which nothing is of interest."""
        for module in self.index.library.modules():
            source = self.index.library.read(module) if module not in self._names else None
            if source is not None:
                yield source

    def inheriting(self) -> list[ClassInfo]:
        """Classes of the candidates, and those of the other files that inherit from them, wherever in a file.

        What is rewritten in a parent has to be right for a child, wherever that stands.
        """
        asked = self.index.revision, self.index.opened
        if self._inherited[0] != asked:
            made = self._look_for_inheriting()
            self._inherited = (self.index.revision, self.index.opened), made
        return self._inherited[1]

    def _look_for_inheriting(self) -> list[ClassInfo]:
        found = [cls for info in self.candidates() for cls in self.classes(info)]
        if self._inheriting is None:
            sized = self.index.vocabulary
            names = {
                cls.name
                for cls in found
                if any(
                    map(sized.is_sizes, (n for f in cls.methods.values() for n in parameters(f)))
                )
            }
            self._inheriting = []
            others = self.others() if names else ()
            bases = [
                (s.module, [(n, frozenset(_WORD.findall(b))) for n, b in _made_of(s.text)])
                for s in others
            ]
            size = -1
            while size < len(names):
                size = len(names)
                for module, classes in bases:
                    below = {n for n, words in classes if not names.isdisjoint(words)}
                    if below and module not in self._inheriting:
                        self._inheriting.append(module)
                    names |= below
            for module in self._inheriting:
                self.index.open(module)
        opened = [info for name in self._inheriting if (info := self.index.get(name)) is not None]
        found += [cls for info in opened for cls in self.classes(info)]
        return found + [cls for info in (*self.candidates(), *opened) for cls in info.hidden]

    def classes(self, info: ModuleInfo) -> list[ClassInfo]:
        """Classes of a module."""
        found = (self.index.resolve(info.source.module, name) for name in info.classes)
        return [cls for cls in found if cls is not None]

    def note(self, record: Record) -> None:
        """Add a line to the report; its place is the line in the file as it was given."""
        if not self.reports:
            return
        path = record.location.rpartition(":")[0]
        line = self._origins.get((path, record.cls, record.method))
        if line is None:
            line = self._origins.get((path, record.cls, ""))
        if line is not None and record.kind in ("lifted", "captured", "failed"):
            record = replace(record, location=f"{path}:{line}")
        elif record.kind == "left":
            record = self._as_given(record)
        self.records.append(record)

    def given_line(self, info: ModuleInfo, line: int) -> int:
        """The line that a line of a file has in the file as it was given."""
        return int(self._as_given_place(f"{info.source.path}:{line}").rpartition(":")[2])

    def _as_given(self, record: Record) -> Record:
        """A record about the current text of a file, at the line that its place has in the file as given."""
        return replace(record, location=self._as_given_place(record.location))

    def _as_given_place(self, place: str) -> str:
        path, _, line = place.rpartition(":")
        module = self._modules_by_path.get(path, "")
        text = self.index.changed().get(module)
        source = self.index.library.read(module) if text is not None else None
        if text is None or source is None or not line.isdigit():
            return place
        return f"{path}:{line_before(source.text, text, int(line))}"

    def propose(self, change: Change) -> None:
        """Queue what a rule wants done to the current text; :meth:`settle` does it.

        A change of what the author keeps is not made, and that is noted.
        """
        self._changes += self._permitted((change,))

    @cached_property
    def _answered(self) -> Kept:
        """What keeps classes that answer themselves what their attributes are."""
        return find_answered(self.index, self.inheriting)

    def _permitted(self, changes: Iterable[Change]) -> Iterator[Change]:
        """The changes that neither the author nor an earlier failure forbids; others are noted."""
        for change in changes:
            refusals = self._kept.refuse(change) or self._answered.refuse(change)
            for record in refusals:
                self.note(record)
            taken = None if refusals else taken_name(change)
            if taken is not None:
                self.note(taken)
                continue
            places = {place_of(site): site for site in change.sites}
            failing = [place for place in places if place in self.refused and not refusals]
            for place in failing:
                self.note(failure(change.rule, places[place], self.refused[place]))
            if not failing and not refusals:
                yield change

    def forget(self, module: str, helper: str) -> None:
        """Take back the import of a helper that a module no longer calls."""
        info = self.index.get(module)
        if info is None or helper not in info.imports:
            return
        nodes = (node for part in info.naming((helper,)) for node in walk(part))
        if any(isinstance(node, ast.Name) and node.id == helper for node in nodes):
            return
        from codegen.rewrite.emit.imports import without_import

        text = without_import(info, helper)
        self.index.replace(ModuleInfo.parse(replace(info.source, text=text)))

    @contextmanager
    def attempt(
        self, rule: str, cls: ClassInfo | None = None, function: Function | None = None
    ) -> Iterator[None]:
        """Whatever a rule raises while it looks at a method is no reason to leave the others.

        What it has proposed by then is not done.
        """
        queued = len(self._changes)
        try:
            yield
        except RecursionError as error:
            del self._changes[queued:]
            self.note(
                too_deep(cls, function) if cls is not None else broken(rule, error, None, None)
            )
        except Exception as error:
            del self._changes[queued:]
            self.note(broken(rule, error, cls, function))

    def settle(self) -> None:
        """Carry out what is queued; modules are parsed anew on their next use."""
        if not self._changes:
            return
        changes, self._changes = self._changes, []
        # What is documented once has to be there before a method can do without an entry.
        self._carry_out(tuple(self._permitted(central_changes(self.index, changes))))
        self._carry_out([without_repeated(self.index, change) for change in changes])

    def _carry_out(self, changes: Sequence[Change]) -> None:
        from codegen.rewrite.settle import settle

        self.adopt(settle(changes, self.settings.helper_package, self.optional))

    @cached_property
    def optional(self) -> str:
        """What most files write around types that may be None; empty for ``type | None``.

        What reads annotations when a file is imported may know only what its tree writes.
        """
        sources = [self.index.library.read(module) for module in self._names]
        texts = [source.text for source in sources if source is not None]
        old, new = (sum(word in text for text in texts) for word in ("Optional[", "| None"))
        return "Optional" if old > new else ""

    def permits(self, change: Change) -> bool:
        """Tell whether a change may be made; what stands against it is noted."""
        return bool(list(self._permitted([change])))

    def adopt(self, settled: Settled) -> None:
        """Take over modules as changes have left them that were permitted, and what is said of these."""
        for info in settled.modules:
            self.index.replace(info)
        for record in settled.records:
            self.note(record)

    def needed_helpers(self) -> set[str]:
        """Names of the helpers that the texts import, changed now or by an earlier run."""
        spelled: dict[str, list[str]] = {}
        for name, place in HELPER_MODULES.items():
            path = helper_path(self.settings.helper_package, place)
            spelled.setdefault(path, []).append(name)
        words = {f"from {path} import": names for path, names in spelled.items()}
        # One look for what all words begin with takes less than one for each.
        lead = commonprefix(list(words))
        ends = "|".join(re.escape(word[len(lead) :]) for word in words)
        imported_so = re.compile(f"{re.escape(lead)}(?:{ends})")
        found = set(self.required)
        changed = self.index.changed()
        for module in dict.fromkeys((*self.index.library.modules(), *changed)):
            source = self.index.library.read(module)
            text = changed.get(module, source.text) if source is not None else ""
            if lead not in text:
                continue
            named = [words[word] for word in {*imported_so.findall(text)}]
            if not any(name in text for names in named for name in names):
                continue
            info = self.index.get(module)
            if module in self.index.unreadable:
                continue
            for node in info.tree.body if info is not None else ast.parse(text).body:
                if isinstance(node, ast.ImportFrom):
                    path = "." * node.level + (node.module or "")
                    imported = node.names if path in spelled else []
                    found |= {a.name for a in imported if a.name in HELPER_MODULES}
        return found


def taken_name(change: Change) -> Record | None:
    """What is said of a change that calls a helper in a file where its name means something else."""
    for info, name in change.helpers:
        module, original = info.imports.get(name, ("", ""))
        known = original == name and module.endswith((HELPERS, HELPER_MODULES.get(name, name)))
        if name not in info.names or known or name not in HELPER_MODULES:
            continue
        site = next((s for s in change.sites if s.cls.module is info), change.sites[0])
        reason = f"{change.rule}: the file calls something else {name}: kept"
        place = site.cls.module.place(site.node)
        model = model_of(site.cls.module.source.module)
        return Record(model, site.cls.name, method_of(site), "left", place, name, reason=reason)
    return None


def _made_of(text: str) -> list[tuple[str, str]]:
    """Names of a text, each with words among which is what they are made of: classes, and other names of them."""
    found = _BASES.findall(text)
    for imported in _IMPORTED.findall(text):
        if " as " in imported:
            found += [(new, old) for old, new in _RENAMED.findall(imported)]
    return found + _ASSIGNED.findall(text)
