"""One unit of work: expand one definition with its parents read from disk or from an overlay.

Runs in worker processes; everything that goes in and out can be pickled.
"""

from __future__ import annotations

import gc
import os
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from codegen.errors import CodegenError, Diagnostic, Location, fail
from codegen.expansion.definition import parse_definition
from codegen.expansion.expand import expand
from codegen.expansion.model import Definition, ParsedModule
from codegen.expansion.parse import parse_module
from codegen.output.formatting import FormatSettings, Formatted, format_texts
from codegen.output.render import render_banner, render_draft
from codegen.run.missing import missing_exports, missing_module_hint, missing_names
from codegen.run.written import findings
from codegen.trees.banners import carries_banner
from codegen.trees.definitions import DefinitionFile
from codegen.trees.dialect import Dialect
from codegen.trees.names import FILE_TYPES, NameTable
from codegen.trees.nametable import ProjectNames, RecordingTable, infer_cased
from codegen.trees.sources import digest_text, make_source, read_text
from codegen.trees.tree import Tree, with_dialect

_DEFINED = re.compile(r"^(?:class|def|async def)\s+(\w+)|^(\w+)\s*=", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Job:
    """A definition to expand; ``overlay`` holds texts that replace files of the tree, ``written``
    finished texts of its files that are to be looked at, ``dialect`` the rules, if they are not those
    of the tree."""

    definition: DefinitionFile
    overlay: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
    dialect: Dialect | None = None


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job gave: unformatted texts by output path, and what they depend on."""

    model: str
    texts: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    lookups: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    problems: tuple[Diagnostic, ...] = ()


class Runner:
    """Runs jobs on one tree; parsed parents are kept between jobs."""

    def __init__(
        self,
        tree: Tree,
        names: Mapping[str, str],
        parsed: dict[tuple[str, frozenset[str]], ParsedModule] | None = None,
    ) -> None:
        self.tree, self.names = tree, names
        self._parsed = {} if parsed is None else parsed
        self._others: dict[Dialect, Runner] = {}

    def run(self, job: Job) -> JobResult:
        """Expand one definition; errors come back as values."""
        if job.dialect is not None and job.dialect != self.tree.convention.dialect:
            if job.dialect not in self._others:
                tree = with_dialect(self.tree, job.dialect)
                self._others[job.dialect] = Runner(tree, self.names, self._parsed)
            return self._others[job.dialect].run(job)
        place = Location(job.definition.path)
        try:
            return self._run(job)
        except CodegenError as error:
            return JobResult(job.definition.model, problems=error.diagnostics)
        except (RecursionError, MemoryError):  # the parser of Python reports either
            problem = Diagnostic("too-deep", "the file is nested too deeply", place)
        except Exception as error:
            # One definition that trips us must not keep the others from being written.
            problem = Diagnostic("internal", _describe(error), place, "please report this failure")
        return JobResult(job.definition.model, problems=(problem,))

    def _run(self, job: Job) -> JobResult:
        tree, item = self.tree, job.definition
        text = self._text(item.path, job)
        source = make_source(item.path, "", text)
        definition = parse_definition(source, tree.convention)
        inputs = {item.path: source.digest}
        parents = self._parents(definition, job, inputs)
        missing = list(missing_names(definition, parents))
        if missing and tree.kind == "project":
            raise CodegenError(*missing)
        table = self._table(definition, parents)
        handwritten = self._handwritten(item, definition, inputs)
        drafts, warnings = expand(definition, parents, table, tree.convention, handwritten)
        banner_path = tree.banner_path(item)
        banner = render_banner(tree.convention.banner_template, item.model, banner_path)
        texts = {item.output(draft.name): render_draft(draft, banner) for draft in drafts}
        _refuse_own_output(definition, parents, texts)
        if tree.kind == "project" and (gone := list(missing_exports(definition, texts.values()))):
            raise CodegenError(*gone)
        # What stands by hand in the place of an output is going to be replaced, or stays refused.
        inputs = {path: digest for path, digest in inputs.items() if path not in texts}
        lookups = dict(table.lookups) if tree.kind != "project" else {}
        # A release of a library is taken as it is: some import names that nothing needs.
        warnings += [f"warning: {each.location}: {each.message}" for each in missing]
        return JobResult(item.model, texts, inputs, lookups, tuple(warnings))

    def look_at(self, job: Job) -> tuple[str, ...]:
        """Warnings about the finished texts of a library's model, which the job's overlay holds."""
        item = job.definition
        source = make_source(item.path, "", self._text(item.path, job))
        definition = parse_definition(source, self.tree.convention)
        parents = self._parents(definition, job, {})
        cased = NameTable(self.names).cased(item.model)
        return tuple(findings(definition, parents, job.written, cased))

    def _text(self, path: str, job: Job) -> str:
        if path in job.overlay:
            return job.overlay[path]
        return read_text(self.tree.root / path, path)

    def _parents(
        self, definition: Definition, job: Job, inputs: dict[str, str]
    ) -> dict[str, ParsedModule]:
        parents: dict[str, ParsedModule] = {}
        problems: list[Diagnostic] = []
        for module in definition.parent_modules:
            path = self.tree.source_path(module)
            if path is None or not (path in job.overlay or os.path.lexists(self.tree.root / path)):
                line = next(item.line for item in definition.parents if item.module == module)
                missing = fail(
                    "missing-module",
                    f"parent module {module} does not exist",
                    definition.module.source.path,
                    line,
                    missing_module_hint(self.tree, module, path),
                )
                problems += missing.diagnostics
                continue
            parsed = self._parse(path, module, self._text(path, job))
            inputs[path] = parsed.source.digest
            parents[module] = parsed
        for path in (path for parent in definition.parents for path in parent.via):
            inputs.setdefault(path, digest_text(self._text(path, job)))
        if problems:
            raise CodegenError(*problems)
        return parents

    def _parse(self, path: str, module: str, text: str) -> ParsedModule:
        digest = digest_text(text)
        protected = self.tree.convention.dialect.protected_names
        known = self._parsed.get((path, protected))
        if known is None or known.source.digest != digest:
            source = make_source(path, module, text)
            known = parse_module(source, protected)
            self._parsed[path, protected] = known
        return known

    def _table(self, definition: Definition, parents: Mapping[str, ParsedModule]) -> RecordingTable:
        if self.tree.kind != "project":
            return RecordingTable(self.names)
        convention = self.tree.convention
        spelled: dict[str, str] = {}
        sources = {convention.parent_model(module): parsed for module, parsed in parents.items()}
        for model, parsed in [*sources.items(), (definition.model, definition.module)]:
            cased = self.tree.config.names.get(model) or infer_cased(
                model, (*parsed.of_kind("class"), *_imported_names(parsed))
            )
            spelled[model] = f"{cased or NameTable().cased(model)}Config"
        return ProjectNames(spelled)

    def _handwritten(
        self, item: DefinitionFile, definition: Definition, inputs: dict[str, str]
    ) -> dict[str, frozenset[str]]:
        """Names in files that stand by hand where generated files go (projects only)."""
        found: dict[str, frozenset[str]] = {}
        if self.tree.kind != "project":
            return found
        for kind in FILE_TYPES:
            name = f"{kind}_{definition.model}.py"
            path = item.output(name)
            place = self.tree.root / path
            if not os.path.exists(place):
                inputs[path] = ""  # one that is written later matters, too
                continue
            text = read_text(place, path)
            if carries_banner(text, self.tree.convention.banner_template):
                continue
            inputs[path] = digest_text(text)
            names = {first or second for first, second in _DEFINED.findall(text)}
            found[Path(name).stem] = frozenset(names)
        return found


def _refuse_own_output(
    definition: Definition, parents: Mapping[str, ParsedModule], texts: Mapping[str, str]
) -> None:
    for parent in definition.parents:
        if parents[parent.module].source.path in texts:
            raise fail(
                "own-output",
                f"the definition inherits from the file that it generates: {parent.module}",
                definition.module.source.path,
                parent.line,
                "inherit from another model, or write the class here",
            )


def _describe(error: Exception) -> str:
    """An unexpected exception in one line, with the place that raised it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})"


def _imported_names(module: ParsedModule) -> list[str]:
    """Names of neighbour imports: they, too, are spelled with the model's name."""
    return [name.name for entry in module.relative_imports for name in entry.names]


_runner: Runner | None = None


def start_worker(tree: Tree, names: Mapping[str, str]) -> None:
    """Prepare this process for :func:`run_job`."""
    global _runner
    # Expansion makes no reference cycles worth collecting; the collector costs a fifth of the time.
    gc.disable()
    _runner = Runner(tree, names)


def run_job(job: Job) -> JobResult:
    """Run one job in a worker process."""
    assert _runner is not None
    return _runner.run(job)


def look_at_job(job: Job) -> tuple[str, ...]:
    """Look at finished texts in a worker process."""
    assert _runner is not None
    return _runner.look_at(job)


def format_job(piece: tuple[Mapping[str, str], FormatSettings]) -> Formatted:
    """Format texts in a worker process."""
    return format_texts(*piece)
