"""What goes from stage to stage cannot be changed on the way: dataclasses are frozen, but for those listed here."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator

import codegen.rewrite

#: What collects or is changed while one stage goes on, and is no result of it.
LOOSE = {
    "Lifting": "parameters of a method, until nothing changes",
    "Index": "modules as they are read",
    "Trace": "what a run of a method comes by",
    "Trial": "runs that several claims share",
    "_CallTrial": "a Trial",
    "_StillTrial": "a Trial",
    "_Trial": "runs of one loop, as they are needed",
    "Items": "values of a run, which code goes through",
    "Groups": "values of a run, which code goes through",
    "_Frame": "states in which a loop is left",
    "_Shared": "names and statements, until nothing is added",
    "Called": "what calls enter, as they are looked at",
    "StatementEdits": "edits that are still due",
    "_Writing": "libcst's own, which is one: lines as they are written",
    "Needs": "what the code of a placeholder needs, name by name",
    "Freq": "values of a run",
    "Arr": "values of a run, which code changes in place",
    "Module": "values of a run",
    "Term": "values of a run, which code stores to",
    "Bound": "values of a run, made at every call",
    "Scope": "names of a run",
    "Instance": "attributes of a run",
}


def dataclasses_of_the_passes() -> Iterator[type]:
    """All dataclasses that the modules of the passes define."""
    for found in pkgutil.walk_packages(codegen.rewrite.__path__, "codegen.rewrite."):
        module = importlib.import_module(found.name)
        for kind in vars(module).values():
            is_own = isinstance(kind, type) and kind.__module__ == found.name
            if is_own and dataclasses.is_dataclass(kind):
                yield kind


def test_all_others_are_frozen() -> None:
    kinds = [*dataclasses_of_the_passes()]
    assert len(kinds) > 50
    loose = {kind.__name__ for kind in kinds if not kind.__dataclass_params__.frozen}  # type: ignore[attr-defined]
    assert loose == LOOSE.keys()
