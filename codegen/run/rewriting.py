"""Run the rewrite passes on a tree and hand their result to the expansion as an overlay."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any

from codegen.errors import CodegenError
from codegen.run.job import JobResult
from codegen.run.plan import Plan
from codegen.store.cache import Cache
from codegen.store.records import RewriteEntry
from codegen.trees.names import HELPERS
from codegen.trees.sources import digest_text, read_text
from codegen.trees.tree import Tree

if TYPE_CHECKING:
    from codegen.rewrite import Record
    from codegen.rewrite.codemods import OwnPass


@dataclass(frozen=True, slots=True)
class Rewriting:
    """``edits`` are the texts that replace sources, ``files`` those of them (with helper modules)
    that belong into the output. ``known`` is set when an earlier run's result still holds; the
    texts are not there then (None for a file that is as that run wrote it), only ``digests``."""

    edits: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    report: tuple[Mapping[str, Any], ...] = ()
    known: bool = False


def recall_rewriting(tree: Tree, cache: Cache) -> Rewriting | None:
    """The result of the last run, if nothing that the passes read or wrote has changed since."""
    record = cache.rewrite
    if record is None:
        return None
    if any(cache.digest(tree.root / path) != digest for path, digest in record.reads.items()):
        return None
    written = record.files.items()
    if any(cache.exact_digest(tree.output / path) != digest for path, digest in written):
        return None
    definitions = {item.path for item in tree.definitions}
    if not definitions <= record.reads.keys():
        return None
    return Rewriting({}, dict.fromkeys(record.files), record.edits, record.report, True)


def untouched_models(
    tree: Tree, plan: Plan, texts: Mapping[str, str], models: Iterable[str]
) -> tuple[str, ...]:
    """The models, and all they build on, that no pass will look at, in order."""
    from codegen.rewrite.tokens.prefilter import may_hold_expansion
    from codegen.rewrite.vocabulary import extended

    vocabulary = extended(tree.config.vocabulary)
    touched = {
        model
        for model, text in texts.items()
        if vocabulary.may_matter(text) or may_hold_expansion(text)
    }
    touched |= plan.dependents(touched)
    wanted = plan.closure(models) - touched
    return tuple(model for model in plan.order if model in wanted)


def run_rewriting(
    tree: Tree,
    texts: Mapping[str, str],
    cache: Cache,
    plain: Callable[[], Mapping[str, str]],
    progress: Callable[[str, int, int], None] = lambda doing, done, total: None,
) -> Rewriting:
    """Run the passes. ``texts`` are the definitions by model; ``plain`` gives the generated files
    of a project as they are without passes."""
    from codegen.rewrite import Settings, rewrite_library
    from codegen.rewrite.vocabulary import extended

    library = TreeLibrary(tree, texts, plain)
    project = tree.kind == "project"
    if project:
        # Beside each model's files, so that its folder stands alone; or a package of the project's.
        package, target = tree.config.helpers or f".{HELPERS}", None
    else:
        target = PurePosixPath(tree.package_dir, HELPERS).as_posix()
        package = f"...{HELPERS}"
    settings = Settings(
        package,
        target,
        tree.config.passes,
        extended(tree.config.vocabulary),
        str(tree.root),
        tree.config.keep,
        tree.convention.dialect.python_meaning,
    )
    result = rewrite_library(library, settings, progress)
    # A project's definitions stay as they are written; a library's sources are part of the output.
    files = {} if project else dict(result.edits)
    files |= {item.path: item.text for item in result.added}
    digests = {path: digest_text(text) for path, text in result.edits.items()}
    report = tuple(asdict(library.placed(record)) for record in result.report)
    reads = {path: cache.digest(tree.root / path) for path in library.read_paths}
    written = {path: digest_text(text) for path, text in files.items()}
    cache.rewrite = RewriteEntry(reads, digests, written, report)
    return Rewriting(dict(result.edits), files, digests, report)


def generated_pass(tree: Tree) -> Callable[[JobResult], JobResult] | None:
    """What a project's own passes do to the files of a model, if it has such that run on those."""
    own = list(_on_generated(tree).values())
    if not own:
        return None
    from codegen.rewrite.codemods import run_pass

    def transform(result: JobResult) -> JobResult:
        texts, warnings = dict(result.texts), list(result.warnings)
        try:
            for item in own:
                for path, text in texts.items():
                    module = path.removesuffix(".py").replace("/", ".")
                    texts[path], records = run_pass(item, text, path, module)
                    left = (record for record in records if record.kind == "left")
                    warnings += [
                        f"warning: {path}: {record.helper}: {record.reason}" for record in left
                    ]
        except CodegenError as error:
            return replace(result, problems=error.diagnostics)
        return replace(result, texts=texts, warnings=tuple(warnings))

    return transform


def generated_passes(tree: Tree) -> tuple[str, ...]:
    """The names of a project's own passes that run on its generated files."""
    return tuple(_on_generated(tree))


def _on_generated(tree: Tree) -> dict[str, OwnPass]:
    references = [name for name in tree.config.passes if ":" in name]
    if not references:
        return {}
    from codegen.rewrite.codemods import GENERATED, load_pass

    loaded = {name: load_pass(name, tree.root) for name in references}
    return {name: item for name, item in loaded.items() if item.runs_on == GENERATED}


class TreeLibrary:
    """Read access for the passes: definitions, and modeling files that have none."""

    def __init__(
        self, tree: Tree, texts: Mapping[str, str], plain: Callable[[], Mapping[str, str]]
    ) -> None:
        self.tree = tree
        # Expanding everything once is all it may cost, and only if a pass asks for it.
        self._plain = cache(plain)
        self.read_paths: set[str] = {item.path for item in tree.definitions}
        self._paths: dict[str, str] = {}
        self._installed: dict[str, str] = {}
        self._texts = {tree.definition(model).path: text for model, text in texts.items()}
        for item in tree.definitions:
            self._paths[f"{self._package(item.target)}.modular_{item.model}"] = item.path
        self._generated = {(item.target, item.model) for item in tree.definitions}
        if tree.kind == "project":
            self._add_installed()
        else:
            self._add_handwritten()

    def _package(self, folder: str) -> str:
        if self.tree.kind == "project":
            return folder.replace("/", ".")
        inside = Path(folder).relative_to(self.tree.package_dir or ".")
        return ".".join(("transformers", *inside.parts))

    def _add_handwritten(self) -> None:
        models = self.tree.root / self.tree.package_dir / "models"
        for path in sorted(models.glob("*/modeling_*.py")):
            relative = path.relative_to(self.tree.root)
            folder = relative.parent.as_posix()
            if (folder, path.stem.removeprefix("modeling_")) not in self._generated:
                module = f"{self._package(folder)}.{path.stem}"
                self._paths[module] = relative.as_posix()

    def _add_installed(self) -> None:
        """Installed parents: the definitions get them rewritten, the installed files stay."""
        for text in list(self._texts.values()):
            try:
                nodes = ast.parse(text).body
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue  # the expansion tells what is wrong
            for node in nodes:
                spelled = (
                    "." * node.level + (node.module or "")
                    if isinstance(node, ast.ImportFrom)
                    else ""
                )
                module = self.tree.convention.parent_module(spelled) if spelled else None
                place = self.tree.source_path(module) if module else None
                if module and place and PurePath(place).is_absolute():
                    self._paths[module] = place
                    self._installed[place] = module

    def modules(self) -> Mapping[str, str]:
        """Candidate modules and their paths."""
        return self._paths

    def read(self, module: str) -> Any:
        """The file of a module as the passes want it, or None."""
        from codegen.rewrite import Source

        path = self._paths.get(module) or self.tree.source_path(module)
        if path is None or self._is_installed_definition(path):
            return None
        text = self._texts.get(path)
        if text is None and self._is_project_output(path):
            text = self._plain().get(path)
        elif text is None and (self.tree.root / path).is_file():
            text = read_text(self.tree.root / path, path)
            self.read_paths.add(path)
        return Source(path, module, text) if text is not None else None

    def placed(self, record: Record) -> Record:
        """A record whose place in an installed parent is told by the module, not by where it lies."""
        path, _, line = record.location.rpartition(":")
        module = self._installed.get(path)
        if module is None:
            return record
        return replace(record, location=f"{module.replace('.', '/')}.py:{line}")

    def _is_installed_definition(self, path: str) -> bool:
        """What a project inherits from is the installed generated file, not its definition."""
        place = PurePath(path)
        installed = self.tree.kind == "project" and place.is_absolute()
        return installed and place.name.startswith("modular_")

    def _is_project_output(self, path: str) -> bool:
        return self.tree.kind == "project" and path.startswith(f"{self.tree.config.output}/")
