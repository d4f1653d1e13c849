"""Recognise what kind of tree a folder is, and find definitions, parents and outputs in it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath

from codegen.errors import CodegenError, Diagnostic, fail
from codegen.output.formatting import FormatSettings, transformers_settings
from codegen.trees.config import Config, read_config
from codegen.trees.conventions import Convention, ProjectConvention, TransformersConvention
from codegen.trees.definitions import (
    DefinitionFile,
    Refused,
    model_of_file,
    search,
    sort_out,
)
from codegen.trees.dialect import Dialect, dialect_of
from codegen.trees.reexports import installed_folder, source_below
from codegen.trees.sources import read_text

_VERSION = re.compile(r"^__version__\s*=\s*[\"'](\d+)\.(\d+)\.?(\d*)", re.MULTILINE)


@dataclass(frozen=True)
class Tree:
    """A tree to keep in sync.

    ``kind`` is ``project``, ``checkout`` or ``package``; ``package_dir`` the folder of the
    transformers package in the latter two. ``output`` is where files are written, with the same
    relative paths as in the tree. ``refused`` are definitions that cannot be taken, and folders
    that cannot be searched, which may hold some.
    """

    root: Path
    kind: str
    output: Path
    convention: Convention
    formatting: FormatSettings
    definitions: tuple[DefinitionFile, ...]
    config: Config = field(default_factory=Config)
    package_dir: str = ""
    version: str = ""
    refused: tuple[Refused, ...] = ()

    def definition(self, model: str) -> DefinitionFile:
        """The definition of a model."""
        return self._by_model[model]

    @cached_property
    def _by_model(self) -> dict[str, DefinitionFile]:
        return {item.model: item for item in self.definitions}

    def source_path(self, module: str) -> str | None:
        """Path of a parent module: relative to the tree, absolute when it is installed."""
        parts = module.split(".")
        if self.kind != "project":
            return str(PurePosixPath(self.package_dir, *parts[1:])) + ".py"
        package = self.config.output.replace("/", ".")
        if module.startswith(f"{package}."):
            return "/".join(parts) + ".py"
        folder = installed_folder(parts[0], str(self.root))
        if folder is None:
            return None
        return str(
            source_below(folder, parts[1:]) or folder.joinpath(*parts[1:]).with_suffix(".py")
        )

    def banner_path(self, definition: DefinitionFile) -> str:
        """Path of a definition as the banner of its files names it."""
        if self.kind == "project":
            return definition.path
        inside = PurePosixPath(definition.path).relative_to(self.package_dir or ".")
        return f"src/transformers/{inside}"


def open_tree(start: Path | None, output: Path | None) -> Tree:
    """Recognise the tree at ``start``, or the one that encloses the working directory."""
    if start is not None:
        root = start.resolve()
        if not os.path.isdir(root):
            raise fail("no-tree", f"{start} is no folder", "", 0, "give an existing folder")
        found = _recognise(root)
        if found is None:
            raise fail(
                "no-tree",
                f"{start} is neither a project with [tool.codegen] nor a transformers tree",
                "",
                0,
                "add a [tool.codegen] table to its pyproject.toml, or give another --root",
            )
    else:
        found = next(filter(None, map(_recognise, (Path.cwd(), *Path.cwd().parents))), None)
        if found is None:
            raise fail(
                "no-tree",
                "no project with [tool.codegen] and no transformers tree encloses this folder",
                "",
                0,
                "run in a project, or give --root DIR",
            )
    kind, root, package_dir, config = found
    target = output.resolve() if output else root
    if ".git" in target.parts:
        raise fail("output", f"{target} belongs to git", "", 0, "give another --output")
    if kind == "project":
        return _open_project(root, target, config or Config())
    return _open_transformers(kind, root, target, package_dir)


_Recognised = tuple[str, Path, str, "Config | None"]


def _recognise(folder: Path) -> _Recognised | None:
    pyproject = folder / "pyproject.toml"
    if os.path.lexists(pyproject):
        config = read_config(pyproject)
        if config is not None:
            return "project", folder, "", config
    if os.path.isdir(folder / "src/transformers/models"):
        return "checkout", folder, "src/transformers", None
    if os.path.isdir(folder / "transformers/models"):
        return "package", folder, "transformers", None
    if folder.name == "transformers" and os.path.isdir(folder / "models"):
        return "package", folder, "", None
    return None


def _open_transformers(kind: str, root: Path, output: Path, package_dir: str) -> Tree:
    package = root / package_dir
    version = _release(package)
    refused: list[Refused] = []
    candidates = []
    models = package / "models"
    for name, inside in search(models, False, refused, root):
        target = PurePosixPath(package_dir, "models", inside)
        candidates.append(DefinitionFile(_model(name), str(target / name), str(target)))
    definitions = sort_out(candidates, refused)
    pyproject = root / "pyproject.toml"
    own_settings = pyproject if kind == "checkout" and os.path.isfile(pyproject) else None
    return Tree(
        root,
        kind,
        output,
        TransformersConvention(dialect_of(version)),
        transformers_settings(own_settings, version),
        definitions,
        package_dir=package_dir,
        version=".".join(map(str, version)),
        refused=tuple(refused),
    )


def _release(package: Path) -> tuple[int, int, int]:
    """Release of a transformers package, from its source; a very new one if it cannot be told."""
    init = package / "__init__.py"
    text = read_text(init, "__init__.py") if os.path.lexists(init) else ""
    match = _VERSION.search(text)
    if match is None:
        return (999, 0, 0)
    major, minor, patch = match.groups()
    return (int(major), int(minor), int(patch or 0))


def _open_project(root: Path, output: Path, config: Config) -> Tree:
    folder = root / config.definitions
    if not os.path.isdir(folder):
        raise fail(
            "config",
            f"the folder of definitions does not exist: {config.definitions}",
            str(root / "pyproject.toml"),
            0,
            "create it, or set `definitions` in [tool.codegen]",
        )
    refused: list[Refused] = []
    candidates = []
    for name, inside in search(folder, True, refused, root):
        if _selected(_model(name), config):
            path, target = (
                PurePosixPath(place, inside) for place in (config.definitions, config.output)
            )
            candidates.append(DefinitionFile(_model(name), str(path / name), str(target)))
    definitions = sort_out(candidates, refused)
    package = config.output.replace("/", ".")
    settings = FormatSettings(config.formatter, config.line_length, root=str(root))
    dialect = Dialect(python_meaning=True, replaces_assignments=config.super_calls == "convention")
    convention = ProjectConvention(
        package, config.expand, config.keep_imports, dialect, root=str(root)
    )
    return Tree(
        *(root, "project", output, convention, settings, definitions, config),
        refused=tuple(refused),
    )


def _model(file_name: str) -> str:
    return model_of_file(file_name) or ""


def _selected(model: str, config: Config) -> bool:
    included = any(fnmatchcase(model, pattern) for pattern in config.include)
    return included and not any(fnmatchcase(model, pattern) for pattern in config.exclude)


def with_dialect(tree: Tree, dialect: Dialect) -> Tree:
    """The same tree, read by other rules (those of a project never change)."""
    assert isinstance(tree.convention, TransformersConvention)
    return replace(tree, convention=replace(tree.convention, dialect=dialect))


def select_models(tree: Tree, names: list[str]) -> tuple[str, ...]:
    """The models that a command line names, all of them by default; paths are understood, too."""
    from difflib import get_close_matches

    known = [item.model for item in tree.definitions]
    if not names:
        return tuple(known)
    refused = {item.model for item in tree.refused}
    chosen, problems = [], []
    for name in names:
        model = model_of_file(PurePath(name).name) or name
        if model in refused:
            continue
        if model in known:
            chosen.append(model)
            continue
        close = get_close_matches(model, known, 3)
        hint = f"did you mean {' or '.join(close)}?" if close else "see `python -m codegen list`"
        problems.append(Diagnostic("unknown-model", f"no definition of {name!r}", None, hint))
    if problems:
        raise CodegenError(*problems)
    return tuple(dict.fromkeys(chosen))
