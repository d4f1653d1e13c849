"""Infer which name replaces a parent's model name from the class names of the definition."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from codegen.errors import fail
from codegen.expansion.model import BaseClass, Definition
from codegen.trees.names import NameTable, common_suffix


@dataclass(frozen=True, slots=True)
class Prefix:
    """The new lower-case name for one parent, and a warning when the choice was not clear."""

    lower: str
    warning: str = ""


def parent_base(definition: Definition, statement: BaseClass) -> str | None:
    """The one base of a class that is imported from a parent; more than one is an error."""
    imported = {parent.name for parent in definition.parents}
    bases = [base for base in statement.bases if base in imported]
    if len(bases) > 1:
        raise fail(
            "several-parents",
            f"class {statement.name} inherits from several parents: {', '.join(bases)}",
            definition.module.source.path,
            statement.line,
            "inherit from one parent class and write the members of the other into the class",
        )
    return bases[0] if bases else None


def infer_prefixes(
    definition: Definition,
    table: NameTable,
    parent_models: Mapping[str, str],
    parent_texts: Mapping[str, str],
) -> dict[str, Prefix]:
    """Choose the prefix of every parent module.

    ``parent_models`` and ``parent_texts`` give the model name and the raw source of each parent
    module. A parent without votes gets the model name as it is.
    """
    home = {parent.name: parent.module for parent in definition.parents}
    voters = []
    for statement in definition.classes:
        base = parent_base(definition, statement)
        if base is not None:
            voters.append((statement.name, base, home[base]))
    return count_votes(
        voters, definition.model, definition.parent_modules, table, parent_models, parent_texts
    )


def count_votes(
    voters: Iterable[tuple[str, str, str]],
    model: str,
    parent_modules: Iterable[str],
    table: NameTable,
    parent_models: Mapping[str, str],
    parent_texts: Mapping[str, str],
) -> dict[str, Prefix]:
    """The same from the classes that vote: each with its base and the module of that."""
    default = table.cased(model)
    votes: dict[str, Counter[str]] = {}
    for name, base, module in voters:
        parent_cased = table.cased(parent_models[module])
        candidate = _candidate(name, base, default, parent_cased)
        votes.setdefault(module, Counter())[candidate] += 1
    prefixes = {}
    for module in parent_modules:
        if module not in votes:
            prefixes[module] = Prefix(model)
            continue
        parent_cased = table.cased(parent_models[module])
        chosen, warning = _choose(
            votes[module], default, parent_cased, parent_texts[module], module
        )
        prefixes[module] = Prefix(table.lower(chosen).replace("-", "_"), warning)
    return prefixes


def _candidate(class_name: str, base: str, default: str, parent_cased: str) -> str:
    suffix = common_suffix(class_name, base)
    if suffix and suffix[0].isupper():
        candidate = class_name.replace(suffix, "")
        if len(candidate) < len(default) and default in class_name:
            return default
        return candidate
    if class_name.replace(default, "") == base:
        return default + parent_cased
    return default


def _choose(
    votes: Counter[str], default: str, parent_cased: str, parent_text: str, module: str
) -> tuple[str, str]:
    """The most frequent candidate; on a tie the default, else the one encountered last."""
    most = max(votes.values())
    tied = [candidate for candidate, count in votes.items() if count == most]
    chosen = default if default in tied else tied[-1]
    warning = ""
    if len(votes) > 1:
        names = ", ".join(votes)
        warning = f"{module}: several prefixes fit ({names}); {chosen} is used"
    if chosen != default:
        original = chosen.replace(default, parent_cased)
        if re.search(rf"^class {re.escape(original)}", parent_text, re.MULTILINE):
            warning = (
                f"{module}: prefix {chosen} would collide with class {original}...; "
                f"{default} is used"
            )
            chosen = default
    return chosen, warning
