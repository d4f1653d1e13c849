"""What was wrong in an expansion before it was moved: kept where outputs depend on it, and said in any case."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.nodes import of_kind, walk
from codegen.rewrite.tokens.asking import HELPER, WORKED_ON
from codegen.rewrite.tokens.names import free_names
from codegen.rewrite.tokens.sites import Site
from codegen.rewrite.values import Record, model_of


def faults(cls: ClassInfo, sites: list[Site]) -> Iterator[Record]:
    """What was wrong before, and what becomes of it."""
    for site in sites:
        if site.sentinels:
            marks = ", ".join(dict.fromkeys(site.sentinels))
            yield left(
                cls, site, f"a text with {marks} in it was changed before, and is not any more"
            )
        if site.rest:
            yield left(cls, site, WORKED_ON)
        if "zip(" in site.texts:
            yield left(cls, site, "texts beyond those that have items are dropped, as before")
        for name in free_names(site.item, site.value):
            if _of_the_first(site.function, name):
                yield left(cls, site, f"{name} of the first item is used for all, as before")


def _of_the_first(function: ast.FunctionDef, name: str) -> bool:
    """Whether a name is given its value from the first of something."""
    for node in of_kind(function, ast.Assign):
        targets = (n for t in node.targets for n in walk(t) if isinstance(n, ast.Name))
        is_bound = any(target.id == name for target in targets)
        if is_bound and "[0]" in ast.unparse(node.value):
            return True
    return False


def left(cls: ClassInfo, site: Site, reason: str) -> Record:
    """What is reported of a site that is as it was, or of what becomes of a fault there."""
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
