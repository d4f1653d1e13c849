"""An import hook that serves some modules of a package from another folder. Standard library only."""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType


class OverlayFinder(importlib.abc.MetaPathFinder):
    """Finds ``package.a.b`` in ``folder/a/b.py`` or ``folder/a/b/__init__.py`` before the installed package is asked."""

    def __init__(self, package: str, folder: Path) -> None:
        self.package = package
        self.folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Spec of an overlaid module, None for all others."""
        if not fullname.startswith(self.package + "."):
            return None
        relative = fullname[len(self.package) + 1 :].replace(".", "/")
        package = self.folder / relative / "__init__.py"
        if package.is_file():
            places = [str(package.parent)]
            return importlib.util.spec_from_file_location(
                fullname, package, submodule_search_locations=places
            )
        candidate = self.folder / f"{relative}.py"
        if not candidate.is_file():
            return None
        return importlib.util.spec_from_file_location(fullname, candidate)


def install(root: Path, package: str, folder: Path | None) -> None:
    """Import ``package`` from ``root``'s parent folder, with the files of ``folder`` on top."""
    sys.path.insert(0, str(root.parent))
    if folder is not None:
        sys.meta_path.insert(0, OverlayFinder(package, folder))
