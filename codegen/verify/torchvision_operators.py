"""Let torchvision be imported beside a torch that its compiled part was not built for.

A torchvision built for CUDA beside the CPU build of torch does not find its library, and so fails on
import where it describes operators that nobody has defined. The image and video processors need
none of them. Here they are declared, without code: the import succeeds, and a call still fails.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_PACKAGE = "torchvision"
#: Definitions last as long as the object that made them.
_kept: list[torch.library.Library] = []


def declare_torchvision_operators() -> None:
    """See to it that torchvision, when it is imported later, finds its operators declared.

    Imports nothing by itself. Does nothing where torchvision is absent, imported already, or loads
    its own operators.
    """
    if _PACKAGE in sys.modules or any(isinstance(item, _Finder) for item in sys.meta_path):
        return
    sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds torchvision where it is, with a loader that declares the operators first."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname == _PACKAGE else None
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(fullname, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        _declare(Path(self.path).parent)
        super().exec_module(module)


def _declare(package: Path) -> None:
    """Declare what the package describes, unless its library can be loaded."""
    described = package / "_meta_registrations.py"
    if not described.is_file() or _loads(package):
        return

    import torch

    library = torch.library.Library(_PACKAGE, "FRAGMENT")
    _kept.append(library)
    for name in sorted(set(_operators(described.read_text(encoding="utf-8")))):
        if not hasattr(getattr(torch.ops, _PACKAGE), name):
            library.define(f"{name}(Tensor values) -> Tensor")


def _loads(package: Path) -> bool:
    """Whether the compiled part is there and fits this torch."""
    import torch

    suffixes = importlib.machinery.EXTENSION_SUFFIXES
    for library in (package / f"_C{suffix}" for suffix in suffixes):
        if library.is_file():
            try:
                torch.ops.load_library(library)
            except OSError:
                return False
            return True
    return False


def _operators(source: str) -> Iterator[str]:
    """Names of the operators that functions of the module are registered for, by a decorator."""
    for node in ast.walk(ast.parse(source)):
        for decorator in getattr(node, "decorator_list", ()):
            first = (
                decorator.args[0] if isinstance(decorator, ast.Call) and decorator.args else None
            )
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value.removeprefix(f"{_PACKAGE}::")
