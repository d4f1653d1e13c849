"""Records that several parts of the passes make."""

from __future__ import annotations

import ast
import traceback
from pathlib import PurePath

from codegen.rewrite.emit.edits import Site
from codegen.rewrite.functions import Function
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.values import Record, model_of

Place = tuple[str, str, str]
"""Module, class and method ("" for the class itself)."""


def place_of(site: Site) -> Place:
    """Where a change is made."""
    return site.cls.module.source.module, site.cls.name, method_of(site)


def method_of(site: Site) -> str:
    """The method that is changed, empty for another statement of a class."""
    return site.node.name if isinstance(site.node, ast.FunctionDef) else ""


def broken(rule: str, error: Exception, cls: ClassInfo | None, function: Function | None) -> Record:
    """A rule that raised while it looked at a method or class, or at everything without one."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    problem = f"{type(error).__name__}: {error}{place}"
    if cls is None:
        reason = f"{rule}: {problem}; it does nothing in this run (an error of codegen)"
        return Record("passes", "", "", "failed", "", reason=reason)
    reason = f"{rule}: {problem}; left as it was (an error of codegen, not of the file)"
    model, node = model_of(cls.module.source.module), function or cls.node
    method = function.name if function is not None else ""
    return Record(model, cls.name, method, "failed", cls.module.place(node), reason=reason)


def too_deep(cls: ClassInfo, function: Function | None) -> Record:
    """A class or method whose code is nested deeper than it can be walked through."""
    node, method = function or cls.node, function.name if function is not None else ""
    model, place = model_of(cls.module.source.module), cls.module.place(node)
    reason = "not looked at to the end: it is nested too deeply"
    return Record(model, cls.name, method, "left", place, reason=reason)


def failure(rule: str, site: Site, problem: str) -> Record:
    """A change that was taken back, or not made: what the rule would have written is not right."""
    info = site.cls.module
    reason = f"{rule}: {problem}; left as it was (an error of codegen, not of the file)"
    model = model_of(info.source.module)
    return Record(
        model, site.cls.name, method_of(site), "failed", info.place(site.node), reason=reason
    )
