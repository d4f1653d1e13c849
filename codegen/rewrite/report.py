"""Records that several parts of the passes make."""

from __future__ import annotations

import ast

from codegen.rewrite.emit.edits import Site
from codegen.rewrite.values import Record, model_of

Place = tuple[str, str, str]
"""Module, class and method ("" for the class itself)."""


def place_of(site: Site) -> Place:
    """Where a change is made."""
    return site.cls.module.source.module, site.cls.name, method_of(site)


def method_of(site: Site) -> str:
    """The method that is changed, empty for another statement of a class."""
    return site.node.name if isinstance(site.node, ast.FunctionDef) else ""


def failure(rule: str, site: Site, problem: str) -> Record:
    """A change that was taken back, or not made: what the rule would have written is not right."""
    info = site.cls.module
    reason = f"{rule}: {problem}; left as it was (an error of codegen, not of the file)"
    model = model_of(info.source.module)
    return Record(
        model, site.cls.name, method_of(site), "failed", info.place(site.node), reason=reason
    )
