"""Compare the definitions of a project with what is generated from them.

A definition is Python: with its parents in reach it can be imported, and inheritance says what it
means. This module says, for one definition, where its two sides are and what its words become;
:mod:`codegen.verify.definitions.worker` imports one side in a process of its own.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from codegen.verify.definitions.bindings import bound_names
from codegen.verify.definitions.compare import Words
from codegen.verify.definitions.facts import Facts, read_facts
from codegen.verify.definitions.load import Sides, Source
from codegen.verify.definitions.names import (
    ParentNames,
    decorators_of,
    inherited_bases,
    model_words,
    named_through,
    roles_of,
    without_own_parts,
)


@dataclass(frozen=True)
class Subject:
    """One definition: its two sides, what its words become, and what its sources say."""

    model: str
    sides: Sides
    words: Words
    facts: Facts
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parents:
    """What a definition takes from parents: module and original name of each imported name, and the
    model name and the source of each of these modules."""

    imported: Mapping[str, tuple[str, str]]
    models: Mapping[str, str]
    texts: Mapping[str, str]


def make_subject(
    model: str,
    definition: Source,
    package: str,
    sources: Mapping[str, Source],
    generated: Sequence[str],
    parents: Parents,
    folders: Mapping[str, Sequence[str]],
    said: Sequence[str],
) -> Subject:
    """Put a subject together.

    ``package`` is the dotted folder that the generated files of the model go to, ``sources`` are the
    modules of the project as generated, ``said`` what the expansion noted.
    """
    name = f"{package}.modular_{model}"
    texts = parents.texts
    bases = inherited_bases(ast.parse(definition.text), parents.imported)
    pairs = {child: found[0] for child, found in bases.items()}
    known = [ParentNames(m, parents.models[m], tuple(bound_names(texts[m]))) for m in texts]
    renames = {
        parent.module: without_own_parts(
            roles_of(parent, pairs, model), parent.module, pairs, ast.parse(texts[parent.module])
        )
        for parent in known
    }
    words = Words(_spelled(renames, pairs), model_words(known, pairs, model))
    folded = frozenset(base for found in bases.values() for base in found)
    sides = Sides(
        {**sources, name: definition},
        name,
        tuple(generated),
        renames,
        folders,
        folded,
        _kept(parents.imported, folded),
        _children(bases),
        named_through(ast.parse(definition.text), renames),
    )
    facts = read_facts(definition.text, pairs, texts, set(parents.imported), said)
    taken_over = {
        child: (home, decorators_of(base, texts[home]))
        for child, (home, base) in pairs.items()
        if facts.decorated(child)
    }
    return Subject(model, replace(sides, decorators=taken_over), words, facts, tuple(said))


def _spelled(
    renames: Mapping[str, Mapping[str, str]], pairs: Mapping[str, tuple[str, str]]
) -> dict[str, frozenset[str]]:
    """What names of parents are called in the generated files: they may become several."""
    found: dict[str, set[str]] = {}
    for names in renames.values():
        for old, new in names.items():
            found.setdefault(old, set()).add(new)
    for child, (_, base) in pairs.items():
        found.setdefault(base, set()).add(child)
    return {old: frozenset(new) for old, new in found.items()}


def _kept(
    imported: Mapping[str, tuple[str, str]], folded: Collection[tuple[str, str]]
) -> dict[str, str]:
    """The names under which parents of folded classes may be kept beside them."""
    taken = {bound: item[1] for bound, item in imported.items() if item in folded}
    pairs = (*taken.items(), *((original, original) for original in taken.values()))
    return {f"_{bound}": original for bound, original in pairs}


def _children(bases: Mapping[str, Sequence[tuple[str, str]]]) -> dict[str, list[str]]:
    """The classes of a definition that inherit a class of a parent, by its name."""
    found: dict[str, list[str]] = {}
    for child, inherited in bases.items():
        for _, base in inherited:
            found.setdefault(base, []).append(child)
    return found
