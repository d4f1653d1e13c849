"""An import hook that serves some modules of a package from another folder. Standard library only."""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType


class _Loader(SourceFileLoader):
    """Runs a module of the overlay; one at the top of a package is told the place of the file that it covers.

    There it may look for the whole package beside itself (``Path(__file__).parent``).
    """

    covered: Path | None = None

    def exec_module(self, module: ModuleType) -> None:
        """See :class:`SourceFileLoader`."""
        if self.covered is not None:
            module.__file__ = str(self.covered)
        super().exec_module(module)


class OverlayFinder(importlib.abc.MetaPathFinder):
    """Finds ``package.a.b`` in ``folder/a/b.py`` or ``folder/a/b/__init__.py`` before the installed package is asked.

    A package that exists only as a folder without ``__init__`` is found there too, with the places
    where it also lies in the installed package behind.
    """

    def __init__(self, package: str, folder: Path) -> None:
        self.package = package
        self.folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Spec of an overlaid module, None for all others."""
        if not f"{fullname}.".startswith(f"{self.package}."):
            return None
        inside = self.folder.joinpath(*fullname[len(self.package) + 1 :].split("."))
        if fullname != self.package:
            if (package := inside / "__init__.py").is_file():
                return importlib.util.spec_from_file_location(
                    fullname, package, submodule_search_locations=[str(inside)]
                )
            if (module := inside.with_name(f"{inside.name}.py")).is_file():
                covered = [Path(place, module.name) for place in path or ()]
                loader = _Loader(fullname, str(module))
                if module.parent == self.folder:
                    loader.covered = next((place for place in covered if place.is_file()), None)
                return importlib.util.spec_from_file_location(fullname, module, loader=loader)
        last = fullname.rpartition(".")[2]
        behind = [Path(place, last) for place in (sys.path if path is None else path)]
        if not inside.is_dir() or any((place / "__init__.py").is_file() for place in behind):
            return None
        spec = ModuleSpec(fullname, None, is_package=True)
        own = [str(place) for place in behind if place.is_dir()]
        spec.submodule_search_locations = [str(inside), *own]
        return spec


def install(search: Path, package: str, folder: Path | None) -> None:
    """Import ``package`` from the folder ``search``, with the files of ``folder`` on top."""
    sys.path.insert(0, str(search))
    if folder is not None:
        sys.meta_path.insert(0, OverlayFinder(package, folder))
