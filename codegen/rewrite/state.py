"""The state that passes share: parsed sources, pending edits and imports, the report."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePath

from codegen.rewrite.emit.edits import Edit, apply_edits
from codegen.rewrite.helpers import HELPER_MODULES, VISION
from codegen.rewrite.library import ClassInfo, Index, ModuleInfo
from codegen.rewrite.nodes import walk
from codegen.rewrite.values import Library, Record, Settings, Source, model_of
from codegen.trees.names import HELPERS

SHARED = re.compile(r"from ([\w.]*(?:vision_utils|encoder_helpers)) import[^\n]*\bget_vision_")


class RewriteState:
    """Texts on their way through the passes."""

    def __init__(self, library: Library, settings: Settings) -> None:
        self.settings = settings
        self.index = Index(library, settings.vocabulary.may_matter, settings.vocabulary)
        self.records: list[Record] = []
        self._names = [m for m in library.modules() if self._is_candidate(library, m)]
        self._origins: dict[tuple[str, str, str], int] = {}
        self.shared = self._shared_elsewhere(library)
        self._edits: dict[str, list[Edit]] = {}
        self._needs: dict[str, set[str]] = {}

    def _is_candidate(self, library: Library, module: str) -> bool:
        source = library.read(module)
        return source is not None and self.settings.vocabulary.may_matter(source.text)

    def _shared_elsewhere(self, library: Library) -> bool:
        """Tell whether the tree already has such helpers of its own, and report the files that use them."""
        found = False
        for module in list(self._names):
            source = library.read(module)
            match = SHARED.search(source.text) if source is not None else None
            if source is None or match is None:
                continue
            ours = match[1].endswith((VISION, HELPERS))
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

    def candidates(self) -> list[ModuleInfo]:
        """Modules that may hold something to rewrite, as they are now."""
        found = [info for name in self._names if (info := self.index.get(name)) is not None]
        if not self._origins:
            for info in found:
                for cls in self.classes(info):
                    for name, function in cls.methods.items():
                        self._origins[info.source.path, cls.name, name] = function.lineno
        return found

    def others(self) -> Iterator[Source]:
        """The other files that could be rewritten, in which nothing is of interest."""
        for module in self.index.library.modules():
            source = self.index.library.read(module) if module not in self._names else None
            if source is not None:
                yield source

    def classes(self, info: ModuleInfo) -> list[ClassInfo]:
        """Classes of a module."""
        found = (self.index.resolve(info.source.module, name) for name in info.classes)
        return [cls for cls in found if cls is not None]

    def note(self, record: Record) -> None:
        """Add a line to the report; its place is the line in the file as it was given."""
        path = record.location.rpartition(":")[0]
        line = self._origins.get((path, record.cls, record.method))
        if line is not None and record.kind in ("lifted", "captured"):
            record = replace(record, location=f"{path}:{line}")
        self.records.append(record)

    def edit(self, info: ModuleInfo, edits: Iterable[Edit]) -> None:
        """Queue edits against the current text of a module."""
        self._edits.setdefault(info.source.module, []).extend(edits)

    def need(self, info: ModuleInfo, helper: str) -> None:
        """Ask for the import of a helper in a module."""
        self._needs.setdefault(info.source.module, set()).add(helper)

    def forget(self, module: str, helper: str) -> None:
        """Take back the import of a helper that a module no longer calls."""
        info = self.index.get(module)
        if info is None or helper not in info.imports:
            return
        if any(isinstance(n, ast.Name) and n.id == helper for n in walk(info.tree)):
            return
        for node in info.tree.body:
            if isinstance(node, ast.ImportFrom) and any(a.name == helper for a in node.names):
                names = [alias.name for alias in node.names if alias.name != helper]
                if names:
                    edit = Edit(*info.text.span(node), import_line(_spelling(node), names))
                else:
                    edit = Edit(*info.text.statement_lines(node), "")
                self.edit(info, [edit])

    def settle(self) -> None:
        """Apply what is queued; modules are parsed anew on their next use."""
        for module in {**self._edits, **self._needs}:
            info = self.index.get(module)
            edits = self._edits.get(module, [])
            if info is None or not (edits or module in self._needs):
                continue
            wanted = self._needs.get(module, set())
            edits = edits + import_edits(info, wanted, self.settings.helper_package)
            if edits:
                text = tidy(info.source.text, apply_edits(info.source.text, edits))
                self.index.replace(module, text)
        self._edits.clear()
        self._needs.clear()

    def needed_helpers(self) -> set[str]:
        """Names of the helpers that the texts import, changed now or by an earlier run."""
        changed = self.index.changed()
        read = (
            self.index.library.read(m) for m in self.index.library.modules() if m not in changed
        )
        texts = [*changed.values(), *(source.text for source in read if source is not None)]
        spelled = {helper_path(self.settings.helper_package, m) for m in HELPER_MODULES.values()}
        near = [text for text in texts if any(f"from {path} import" in text for path in spelled)]
        return {
            alias.name
            for text in near
            for node in ast.parse(text).body
            if isinstance(node, ast.ImportFrom) and _spelling(node) in spelled
            for alias in node.names
        }


def tidy(old: str, new: str) -> str:
    """Remove doubled blank lines that deletions left inside bodies, if the old text had none."""
    doubled = re.compile(r"\n\n\n+(?=[ ]{8,}\S)")
    return new if doubled.search(old) else doubled.sub("\n\n", new)


def helper_path(package: str, module: str) -> str:
    """A helper module as an import names it."""
    if package.split(".")[-1] == HELPERS:
        return package
    return f"{package}{module}" if package.endswith(".") else f"{package}.{module}"


def import_edits(info: ModuleInfo, names: set[str], package: str) -> list[Edit]:
    """Edits that import helpers: extend an import of the helper module or add one."""
    edits = []
    by_spelling: dict[str, list[str]] = {}
    for name in sorted(names - set(info.imports)):
        by_spelling.setdefault(helper_path(package, HELPER_MODULES[name]), []).append(name)
    for spelling, wanted in sorted(by_spelling.items()):
        existing = _existing(info, spelling)
        if existing is not None:
            wanted = sorted({*wanted, *(alias.name for alias in existing.names)})
            edits.append(Edit(*info.text.span(existing), import_line(spelling, wanted)))
        else:
            place = _import_place(info, spelling)
            blank = "" if any(_level(n) == _dots(spelling) for n in info.tree.body) else "\n"
            edits.append(Edit(place, place, f"{blank}{import_line(spelling, wanted)}\n"))
    return edits


def import_line(module: str, names: list[str]) -> str:
    """An import statement in the layout of a formatter with 119 columns."""
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= 119:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"


def _spelling(node: ast.ImportFrom) -> str:
    return "." * node.level + (node.module or "")


def _dots(spelling: str) -> int:
    return len(spelling) - len(spelling.lstrip("."))


def _level(node: ast.stmt) -> int:
    return node.level if isinstance(node, ast.ImportFrom) else -1


def _existing(info: ModuleInfo, spelling: str) -> ast.ImportFrom | None:
    for node in info.tree.body:
        if isinstance(node, ast.ImportFrom) and _spelling(node) == spelling:
            return node
    return None


def _import_place(info: ModuleInfo, spelling: str) -> int:
    """Sorted place among imports of the same level, else behind the last import."""
    imports = [n for n in info.tree.body if isinstance(n, (ast.ImportFrom, ast.Import))]
    dots = _dots(spelling)
    same = [n for n in imports if isinstance(n, ast.ImportFrom) and n.level == dots]
    for node in same:
        if _spelling(node) > spelling:
            return info.text.start_of(node.lineno)
    last = (same or imports)[-1]
    assert last.end_lineno is not None
    return info.text.start_of(last.end_lineno + 1)
