"""Load the expansion a second time, with strings that keep their places (:mod:`origins`).

The expansion cuts and joins plain strings, and is not told of anything else: what it does to them is
followed here, whatever it does. Its modules are read once more under another name, with the few
operations changed in which Python itself would forget the places:

    f"{lead}{text}"          interpolated(lead, text)
    "".join(pieces)          spliced("", pieces)
    pattern.sub(new, text)   substitute(pattern, new, text)

and with an ``ast`` whose names are cut out of the text that was parsed (``cut_names.py``); what is replaced
as a whole stands in ``replaced.py``. Everything else is as it runs in `sync`, which pays nothing for it.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from codegen.explain.compiled import keep_code, kept_code
from codegen.explain.cut_names import named_ast
from codegen.explain.origins import interpolated, joined, substituted
from codegen.explain.replaced import REPLACED

#: The package as whose modules the second copies are known.
_COPY = "_codegen_traced"
#: What is copied: all that handles the text of definitions and parents. The rest is shared.
_COPIED = ("text", "expansion", "trees", "output.render", "run.job", "run.missing", "run.written")
_FOLDER = Path(__file__).parents[1]
_OWN_SOURCE = Path(__file__).read_bytes()


def load(module: str) -> Any:
    """The copy of a module, named as below ``codegen``: ``run.job``."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        # In front: the folders of the package are where the usual finder would look.
        sys.meta_path.insert(0, _Finder())
    return importlib.import_module(f"{_COPY}.{module}")


def _is_copied(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in _COPIED)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the copies: their sources are those of the modules themselves."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See :class:`importlib.abc.MetaPathFinder`."""
        if fullname.partition(".")[0] != _COPY:
            return None
        inside = fullname.split(".")[1:]
        place = _FOLDER.joinpath(*inside)
        package = place.is_dir()
        file = place / "__init__.py" if package else place.with_suffix(".py")
        if not file.is_file():
            return None
        return importlib.util.spec_from_file_location(
            fullname,
            file,
            loader=_Loader(fullname, str(file)),
            submodule_search_locations=[str(place)] if package else None,
        )


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles a module with its string operations changed."""

    def get_code(self, fullname: str) -> Any:
        """See :class:`importlib.abc.InspectLoader`; the compiled form is kept where Python keeps its own."""
        path = self.get_filename(fullname)
        source = self.get_data(path)
        return kept_code(path, source, _OWN_SOURCE) or keep_code(
            path,
            source,
            _OWN_SOURCE,
            compile(_changed(ast.parse(source)), path, "exec", dont_inherit=True),
        )

    def exec_module(self, module: ModuleType) -> None:
        """See :class:`importlib.abc.Loader`."""
        vars(module).update(_interpolated=interpolated, _spliced=spliced, _substitute=substitute)
        super().exec_module(module)
        if vars(module).get("ast") is ast:
            vars(module)["ast"] = named_ast()
        replace = REPLACED.get(module.__name__.removeprefix(f"{_COPY}."))
        if replace:
            replace(module)


def _changed(tree: ast.Module) -> ast.Module:
    _Operations().visit(tree)
    return ast.fix_missing_locations(tree)


class _Operations(ast.NodeTransformer):
    """Replaces the operations that forget places."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        """An f-string; a part with a format of its own stays what it is."""
        self.generic_visit(node)
        parts: list[ast.expr] = []
        for value in node.values:
            plain = isinstance(value, ast.FormattedValue) and value.conversion == -1
            if isinstance(value, ast.FormattedValue):
                whole = plain and value.format_spec is None
                parts.append(value.value if whole else ast.JoinedStr([value]))
            else:
                parts.append(value)
        return _call("_interpolated", parts, node)

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.expr:
        """Format specifications are no strings of their own."""
        node.value = self.visit(node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """``join`` and ``sub``, of whatever object: what it is shows when it is called."""
        self.generic_visit(node)
        if not isinstance(node.func, ast.Attribute):
            return node
        if node.func.attr == "join" and len(node.args) == 1 and not node.keywords:
            return _call("_spliced", [node.func.value, *node.args], node)
        if node.func.attr == "sub":
            return _call("_substitute", [node.func.value, *node.args], node, node.keywords)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        """Copies import copies."""
        package, _, inside = (node.module or "").partition(".")
        if package == "codegen" and _is_copied(inside):
            node.module = f"{_COPY}.{inside}"
        return node


def _call(
    name: str, arguments: list[ast.expr], node: ast.expr, keywords: Sequence[ast.keyword] = ()
) -> ast.expr:
    call = ast.Call(ast.Name(name, ast.Load()), arguments, list(keywords))
    return ast.copy_location(call, node)


def spliced(owner: Any, pieces: Any) -> Any:
    """``owner.join(pieces)``."""
    return joined(owner, pieces) if isinstance(owner, str) else owner.join(pieces)


def substitute(owner: Any, *arguments: Any, **options: Any) -> Any:
    """``owner.sub(...)`` of a pattern or of the module ``re``."""
    if owner is re:
        owner = re.compile(arguments[0], options.pop("flags", 0))
        arguments = arguments[1:]
    if isinstance(owner, re.Pattern):
        return substituted(owner, *arguments, **options)
    return owner.sub(*arguments, **options)
