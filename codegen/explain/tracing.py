"""Expand single models with their places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from codegen.errors import CodegenError
from codegen.explain import instrument
from codegen.explain.choices import CHOICES, Candidate
from codegen.trees.tree import Tree


@dataclass(frozen=True, slots=True)
class Traced:
    """The drafts of a model by path, and what they depend on (see ``run.job.JobResult``).

    ``others`` are the imports that could have given names, by the place of the chosen one.
    """

    drafts: Mapping[str, str]
    inputs: Mapping[str, str]
    lookups: Mapping[str, str]
    others: Mapping[int, tuple[Candidate, ...]]


class Tracer:
    """Expands the models of a tree; ``texts`` replace sources, as passes do."""

    def __init__(
        self, tree: Tree, names: Mapping[str, str], texts: Mapping[str, str] | None = None
    ) -> None:
        self._texts = texts or {}
        self._job: Any = instrument.load("run.job").Job
        trees = instrument.load("trees.tree")
        copy = trees.open_tree(tree.root, tree.output if tree.output != tree.root else None)
        if tree.kind != "project":
            dialect = type(copy.convention.dialect)
            known = tree.convention.dialect
            values = {item.name: getattr(known, item.name) for item in fields(known)}
            copy = trees.with_dialect(copy, dialect(**values))
        self._tree = copy
        self._runner = instrument.load("run.job").Runner(copy, names)

    def trace(self, model: str) -> Traced:
        """Expand a model.

        Raises:
            CodegenError: it cannot be expanded.
        """
        CHOICES.begin()
        result = self._runner.run(self._job(self._tree.definition(model), self._texts))
        if result.problems:
            raise CodegenError(*result.problems)
        return Traced(result.texts, result.inputs, result.lookups, CHOICES.others)
