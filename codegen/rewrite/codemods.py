"""Passes of a project's own: codemods of libcst, named in ``[tool.codegen] passes``.

A reference is ``path/below/the/root.py:Class`` or ``installed.module:Class``. The class is a
``libcst.codemod`` command; it is run on definitions and on the sources that they inherit from, or, if it
has ``RUNS_ON = "generated"``, on the generated files. What it writes is checked as far as that can be
done without knowing what it means: it parses, names nothing that is undefined and was not before, and
a second run leaves it as it is.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING

from codegen.errors import CodegenError, fail
from codegen.rewrite.values import Record, model_of
from codegen.text.unresolved import unresolved_names

if TYPE_CHECKING:
    from libcst.codemod import Codemod

SOURCES, GENERATED = "sources", "generated"


@dataclass(frozen=True, slots=True)
class OwnPass:
    """A codemod as configured: the reference, its class, the file that holds it, what it runs on."""

    reference: str
    command: type[Codemod]
    path: str
    runs_on: str


def load_pass(reference: str, root: Path) -> OwnPass:
    """Import the codemod that a reference names.

    Raises:
        CodegenError: there is no such file, module or class, importing it fails, or it is no codemod.
    """
    place, _, name = reference.rpartition(":")
    path = root / place
    # A file that was edited is another pass.
    version = path.read_bytes() if place.endswith(".py") and path.is_file() else b""
    return _load(place, name, root, version)


@cache
def _load(place: str, name: str, root: Path, version: bytes) -> OwnPass:
    from libcst.codemod import Codemod

    module = _load_file(place, root) if place.endswith(".py") else _load_module(place)
    path = place if place.endswith(".py") else str(module.__file__)
    command = getattr(module, name, None)
    if not (isinstance(command, type) and issubclass(command, Codemod)):
        known = [key for key, value in vars(module).items() if _is_codemod(value, module)]
        close = get_close_matches(name, known, 1) or known[:1]
        what = "is no libcst codemod" if name in vars(module) else "does not exist"
        hint = (
            f"did you mean {close[0]}?" if close else "derive it from libcst.codemod.CodemodCommand"
        )
        raise fail("pass", f"{name} {what}", path, 0, hint)
    runs_on = getattr(command, "RUNS_ON", SOURCES)
    if runs_on not in (SOURCES, GENERATED):
        raise fail(
            "pass", f"RUNS_ON of {name} is {runs_on!r}", path, 0, f"use {SOURCES} or {GENERATED}"
        )
    return OwnPass(f"{place}:{name}", command, path, runs_on)


def _is_codemod(value: object, module: ModuleType) -> bool:
    from libcst.codemod import Codemod

    own = getattr(value, "__module__", "") == module.__name__
    return own and isinstance(value, type) and issubclass(value, Codemod)


class _FromSource(SourceFileLoader):
    """Compiles what the file holds now: bytecode is known by size and second, two edits can share both."""

    def get_code(self, fullname: str) -> CodeType:
        """The code of the source; nothing is read from or written to ``__pycache__``."""
        return self.source_to_code(self.get_data(self.path), self.path)


def _load_file(place: str, root: Path) -> ModuleType:
    path = (root / place).resolve()
    if not path.is_relative_to(root.resolve()):
        raise fail("pass", "the file of a pass must be below the project's root", place)
    if not path.is_file():
        raise fail(
            "pass", "the file of a pass does not exist", place, 0, "see passes in [tool.codegen]"
        )
    name = f"codegen_pass_{abs(hash(str(path))):x}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_FromSource(name, str(path)))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise fail(
            "pass", f"the pass cannot be loaded: {error.msg}", place, error.lineno or 0
        ) from None
    except Exception as error:
        raise _failure("the pass cannot be loaded", error, place, str(path)) from None
    return module


def _load_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        message = f"the module of a pass cannot be imported: {type(error).__name__}: {error}"
        raise fail("pass", message, name, hint="see passes in [tool.codegen]") from None


def _failure(what: str, error: BaseException, shown: str, path: str) -> CodegenError:
    """The error of a pass, at the line of its own source that raised it or led there."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    return fail("pass", f"{what}: {type(error).__name__}: {error}", shown, (lines or [0])[-1] or 0)


def run_pass(own: OwnPass, text: str, path: str, module: str) -> tuple[str, tuple[Record, ...]]:
    """Run a codemod on one file: its new text, and a record if it changed, skipped or warned.

    Raises:
        CodegenError: the codemod fails, or what it writes does not hold the checks.
    """
    new, records = _transform(own, text, path, module)
    if new == text:
        return text, records
    _check(own, text, new, path)
    again, _ = _transform(own, new, path, module)
    if again != new:
        raise _unfit(own, path, "a second run changes its result again")
    return new, (*records, _record(own, path, module, "rewritten", ""))


def run_on_texts(
    own: OwnPass, texts: Mapping[str, tuple[str, str]]
) -> tuple[dict[str, str], tuple[Record, ...]]:
    """Run a codemod on texts by module, each with its path; returns those that changed."""
    changed: dict[str, str] = {}
    records: list[Record] = []
    for module, (path, text) in texts.items():
        new, noted = run_pass(own, text, path, module)
        records += noted
        if new != text:
            changed[module] = new
    return changed, tuple(records)


def _transform(own: OwnPass, text: str, path: str, module: str) -> tuple[str, tuple[Record, ...]]:
    import libcst
    from libcst.codemod import CodemodContext, SkipFile

    context = CodemodContext(filename=path, full_module_name=module)
    try:
        tree = libcst.parse_module(text)
    except libcst.ParserSyntaxError:
        return text, ()  # the expansion tells what is wrong with a source
    try:
        new = own.command(context).transform_module(tree).code
    except SkipFile as reason:
        return text, (
            _record(own, path, module, "left", str(reason) or "the pass skips this file"),
        )
    except Exception as error:
        source = sys.modules[own.command.__module__].__file__ or own.path
        raise _failure(f"{own.command.__name__} fails on {path}", error, own.path, source) from None
    warned = (_record(own, path, module, "left", warning) for warning in context.warnings)
    return new, tuple(warned)


def _check(own: OwnPass, old: str, new: str, path: str) -> None:
    try:
        lost = unresolved_names(new) - unresolved_names(old)
    except SyntaxError as error:
        raise _unfit(own, path, f"line {error.lineno} of its result does not parse") from None
    if lost:
        names = ", ".join(sorted(lost))
        raise _unfit(own, path, f"its result uses {names}, which nothing defines")


def _unfit(own: OwnPass, path: str, what: str) -> CodegenError:
    name = own.command.__name__
    return fail("pass", f"{name} cannot be used on {path}: {what}", own.path, 0, "mend the pass")


def _record(own: OwnPass, path: str, module: str, kind: str, reason: str) -> Record:
    return Record(
        model_of(module), "", "", kind, f"{path}:1", helper=own.command.__name__, reason=reason
    )
