"""What the author keeps from the passes: ``# codegen: keep`` on a class or method, or ``keep`` in the table.

A kept class keeps the classes that it inherits from, too: what they get, it would get by expansion.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from codegen.rewrite.emit.edits import Change, Site
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.report import Place, method_of
from codegen.rewrite.values import Record, model_of
from codegen.rewrite.vocabulary import CENTRAL_ARGUMENTS
from codegen.text.lexer import lex

_BY_AUTHOR = "kept by the author: # codegen: keep"
_DIRECTIVE = re.compile(r"#\s*codegen:\s*(\S*)")


@dataclass(frozen=True)
class Kept:
    """Why classes and methods are kept, by their place, and what was wrong about asking for it."""

    places: Mapping[Place, str] = field(default_factory=dict)
    records: tuple[Record, ...] = ()
    named: frozenset[str] = frozenset()

    def refuse(self, change: Change) -> tuple[Record, ...]:
        """Records of what keeps a change from being made; empty if nothing does."""
        return tuple(
            _record(site.cls.module, site.cls.name, method_of(site), reason, site.node, change.rule)
            for site in change.sites
            if (reason := self._reason(site))
        )

    def _reason(self, site: Site) -> str:
        module, cls = site.cls.module.source.module, site.cls.name
        if cls == CENTRAL_ARGUMENTS:
            return self._of_central(site.cls)
        return self.places.get((module, cls, "")) or self.places.get(
            (module, cls, method_of(site)), ""
        )

    def _of_central(self, cls: ClassInfo) -> str:
        """The same of the class in which arguments are documented, in a file that nothing else changes."""
        if cls.name in self.named:
            return f"keep in [tool.codegen] names {cls.name}"
        asked = "keep" in _directives(cls.module, cls.node)
        return _BY_AUTHOR if asked else ""


def find_kept(index: Index, named: Iterable[str]) -> Kept:
    """Everything that is kept in the modules that may be changed.

    Args:
        index: the modules, and the classes that a kept class inherits from.
        named: ``Class`` or ``Class.method``, from the configuration.
    """
    places: dict[Place, str] = {}
    records: list[Record] = []
    wanted, seen = set(named), set()
    for info in _marked(index, {name.partition(".")[0] for name in wanted}):
        for cls, method, node in _members(info):
            name = f"{cls}.{method}" if method else cls
            seen.add(name)
            reason = f"keep in [tool.codegen] names {name}" if name in wanted else ""
            for word in _directives(info, node):
                if word == "keep":
                    reason = _BY_AUTHOR
                else:
                    records.append(_unknown(info, cls, method, node, word))
            if reason:
                places[info.source.module, cls, method] = reason
                found = index.resolve(info.source.module, cls) if not method else None
                places |= _ancestors(index, found) if found else {}
    records += [_met_nothing(name, seen) for name in sorted(wanted - seen - {CENTRAL_ARGUMENTS})]
    return Kept(places, tuple(records), frozenset(wanted))


def _marked(index: Index, classes: Iterable[str]) -> Iterator[ModuleInfo]:
    """Modules that may hold a directive or one of the classes."""
    words = ["codegen:", *(f"class {name}" for name in classes)]
    for module in index.library.modules():
        source = index.library.read(module)
        if source is not None and any(word in source.text for word in words):
            info = index.open(module)
            if info is not None:
                yield info


def _members(info: ModuleInfo) -> Iterator[tuple[str, str, ast.ClassDef | ast.FunctionDef]]:
    """Classes and their methods."""
    for cls in info.classes.values():
        yield cls.name, "", cls
        yield from ((cls.name, n.name, n) for n in cls.body if isinstance(n, ast.FunctionDef))


def _directives(info: ModuleInfo, node: ast.ClassDef | ast.FunctionDef) -> Iterator[str]:
    """Words behind ``# codegen:`` in front of a class or function, or in its head."""
    if "codegen:" not in info.source.text:
        return
    lines = info.text
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    while first > 1 and lines.lines[first - 2].lstrip().startswith("#"):
        first -= 1
    last = max(node.lineno, node.body[0].lineno - 1)
    start, end = lines.start_of(first), lines.end_of(last)
    for left, right in lex(info.source.text).comments:
        match = _DIRECTIVE.match(info.source.text[left:right])
        if match and start <= left < end:
            yield match[1]


def _ancestors(index: Index, cls: ClassInfo) -> dict[Place, str]:
    index.open_ancestors(cls)
    reason = f"{cls.name} inherits from it and is kept"
    return {(owner.module.source.module, owner.name, ""): reason for owner in index.mro(cls)[1:]}


def _record(
    info: ModuleInfo, cls: str, method: str, reason: str, node: ast.stmt, rule: str = ""
) -> Record:
    because = f"{rule}: {reason}" if rule else reason
    return Record(
        model_of(info.source.module), cls, method, "left", info.place(node), reason=because
    )


def _unknown(info: ModuleInfo, cls: str, method: str, node: ast.stmt, word: str) -> Record:
    return _record(info, cls, method, f"unknown directive {word!r} (known: keep)", node)


def _met_nothing(name: str, seen: Iterable[str]) -> Record:
    close = get_close_matches(name, list(seen), 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    reason = f"keep in [tool.codegen] names {name}, which no class or method is called{hint}"
    return Record("keep", "", "", "left", "pyproject.toml:0", reason=reason)
