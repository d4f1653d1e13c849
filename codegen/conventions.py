"""How a tree spells things: which imports are parents, what the banner says, which dialect holds.

Two conventions exist: that of the transformers library, whose releases speak slightly different
dialects, and that of a project with ``[tool.codegen]``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Protocol

from codegen.model import Definition
from codegen.names import FILE_TYPES
from codegen.syntax.imports import ImportedName, ImportGuard, ImportStatement, PoolEntry

_TYPES = "|".join(FILE_TYPES)
_NEAR_PARENT = re.compile(rf"\.\.\w+\.(?:{_TYPES})")
_PARENT_MODULE = re.compile(rf"(?:{_TYPES})_(\w+)$")

#: Identifiers of the mamba kernels, which releases after 5.13 never rename.
_MAMBA_NAMES = frozenset(
    {
        "mamba_ssm",
        "mamba-ssm",
        "use_mambapy",
        "mamba_inner_fn",
        "mamba_selective_state_update",
        "mamba_selective_scan",
        "is_mambapy_available",
        "mamba2_split_conv1d_scan_combined",
        "mamba2_selective_state_update",
        "mamba2_chunk_scan",
    }
)


class Convention(Protocol):
    """What the expansion asks about the tree it works for."""

    @property
    def protected_names(self) -> frozenset[str]:
        """Names that renaming leaves alone."""

    @property
    def decorator_marker(self) -> bool:
        """Whether ``@no_inherit_decorator`` suppresses inherited decorators."""

    @property
    def guarded_types(self) -> tuple[str, ...]:
        """File types whose torch imports are regrouped under availability guards."""

    @property
    def shared_image_modules(self) -> tuple[str, ...]:
        """Modules from which image processors import without copying definitions."""

    @property
    def banner_template(self) -> str:
        """File name of the banner's template."""

    def parent_module(self, spelled: str) -> str | None:
        """Absolute name of the parent that an import spells, or None if it is no parent."""

    def stays_import(self, spelled: str) -> bool:
        """Whether an import of the definition remains available to the generated files."""

    def import_problem(self, spelled: str, names: Sequence[str]) -> tuple[str, str] | None:
        """Message and hint for an import that a definition may not contain."""

    def parent_model(self, module: str) -> str:
        """Model name of a parent module."""

    def describe(self, module: str) -> str:
        """How a parent module is named in messages."""

    def adapt_import(
        self, entry: PoolEntry, module: str, definition: Definition
    ) -> list[PoolEntry]:
        """Spell a renamed import of parent ``module`` so that it works in the generated file."""

    def adapt_text(self, text: str, module: str, definition: Definition) -> str:
        """The same for the imports inside a copied definition."""


@dataclass(frozen=True)
class TransformersConvention:
    """The transformers library and its dialects; ``version`` is that of the tree."""

    version: tuple[int, ...]
    banner_template: str = "transformers_banner.py.j2"

    @property
    def protected_names(self) -> frozenset[str]:
        """See :class:`Convention`."""
        return _MAMBA_NAMES if self.version >= (5, 14) else frozenset()

    @property
    def decorator_marker(self) -> bool:
        """See :class:`Convention`."""
        return self.version >= (5, 11)

    @property
    def guarded_types(self) -> tuple[str, ...]:
        """See :class:`Convention`."""
        later = ("feature_extraction",) if self.version >= (5, 14) else ()
        return ("image_processing_pil", *later)

    @property
    def shared_image_modules(self) -> tuple[str, ...]:
        """See :class:`Convention`."""
        later = ("image_processing_outputs",) if self.version >= (5, 13) else ()
        return ("image_processing_backends", "image_processing_utils", *later)

    def parent_module(self, spelled: str) -> str | None:
        """See :class:`Convention`."""
        if "auto.modeling_auto" in spelled:
            return None
        near = _NEAR_PARENT.search(spelled)
        if not (near or "transformers.models." in spelled or "...models." in spelled):
            return None
        module = spelled.lstrip(".")
        if "." not in module:
            return None
        if "models" not in module:
            module = f"models.{module}"
        return module if module.startswith("transformers") else f"transformers.{module}"

    def stays_import(self, spelled: str) -> bool:
        """See :class:`Convention`."""
        if "auto.modeling_auto" in spelled:
            return True
        return not ("transformers.models." in spelled or _NEAR_PARENT.search(spelled))

    def import_problem(self, spelled: str, names: Sequence[str]) -> tuple[str, str] | None:
        """See :class:`Convention`."""
        if spelled == "transformers":
            return (
                "a definition cannot import from the top of `transformers`",
                "import from the module that defines the name, such as `...utils`",
            )
        if self.parent_module(spelled) is None:
            return None
        if "*" in names:
            return (f"star import from {spelled}", "list the names that the definition needs")
        near = re.search(r"\.\.\w+\.modeling", spelled)
        config = next((name for name in names if "Config" in name), None)
        if near and config:
            return (
                f"{config} is imported from a modeling file ({spelled})",
                "import configuration classes from the configuration file of the model",
            )
        return None

    def parent_model(self, module: str) -> str:
        """See :class:`Convention`."""
        return module.split(".")[-2]

    def describe(self, module: str) -> str:
        """See :class:`Convention`."""
        return module

    def adapt_import(
        self, entry: PoolEntry, module: str, definition: Definition
    ) -> list[PoolEntry]:
        """See :class:`Convention`."""
        return [entry]

    def adapt_text(self, text: str, module: str, definition: Definition) -> str:
        """See :class:`Convention`."""
        return text


@dataclass(frozen=True)
class ProjectConvention:
    """A repository of one's own.

    ``package`` is the dotted name of the output folder and ``expand`` the patterns of installed
    modules whose classes are expanded. ``provides`` tells whether a neighbour file of a model
    defines a name (generated by its definition, or written by hand beside the output).
    """

    package: str
    expand: tuple[str, ...]
    keep: tuple[str, ...]
    provides: Callable[[Definition, str, str], bool]
    banner_template: str = "banner.py.j2"
    protected_names: frozenset[str] = frozenset()
    decorator_marker: bool = True
    guarded_types: tuple[str, ...] = ()
    shared_image_modules: tuple[str, ...] = ()

    def parent_module(self, spelled: str) -> str | None:
        """See :class:`Convention`."""
        module = self._absolute(spelled)
        last = module.rsplit(".", 1)[-1]
        if not _PARENT_MODULE.match(last):
            return None
        if module.startswith(f"{self.package}."):
            return module if spelled.startswith("..") or not spelled.startswith(".") else None
        expanded = any(fnmatchcase(module, pattern) for pattern in self.expand)
        kept = any(fnmatchcase(module, pattern) for pattern in self.keep)
        return module if expanded and not kept else None

    def stays_import(self, spelled: str) -> bool:
        """An installed parent stays importable for classes that are used but not inherited."""
        return self.parent_module(spelled) is None or not self._is_own(spelled)

    def import_problem(self, spelled: str, names: Sequence[str]) -> tuple[str, str] | None:
        """See :class:`Convention`."""
        last = spelled.rsplit(".", 1)[-1]
        if spelled.startswith(".") and last.startswith("modular_"):
            target = spelled.replace("modular_", "modeling_")
            return (
                f"{spelled} is a definition",
                f"import from the file it generates, such as {target}",
            )
        if "*" in names and self.parent_module(spelled):
            return (f"star import from {spelled}", "list the names that the definition needs")
        return None

    def parent_model(self, module: str) -> str:
        """See :class:`Convention`."""
        match = _PARENT_MODULE.match(module.rsplit(".", 1)[-1])
        assert match
        return match.group(1)

    def describe(self, module: str) -> str:
        """See :class:`Convention`."""
        return module

    def adapt_import(
        self, entry: PoolEntry, module: str, definition: Definition
    ) -> list[PoolEntry]:
        """See :class:`Convention`."""
        if isinstance(entry, ImportGuard):
            body = [kept for item in entry.body for kept in self._adapt(item, module, definition)]
            return [replace(entry, body=tuple(body))]
        return list(self._adapt(entry, module, definition))

    def _adapt(
        self, statement: ImportStatement, module: str, definition: Definition
    ) -> list[ImportStatement]:
        spelled = statement.module or ""
        if not spelled.startswith("."):
            return [statement]
        if spelled.count(".") == 1 and spelled[1:].startswith(FILE_TYPES):
            return self._adapt_neighbour(statement, module, definition)
        if self._is_own(module):
            return [statement]
        return [replace(statement, module=resolve_relative(spelled, module))]

    def _adapt_neighbour(
        self, statement: ImportStatement, module: str, definition: Definition
    ) -> list[ImportStatement]:
        """A neighbour of the parent becomes the model's own, or an alias of the original."""
        spelled = (statement.module or "")[1:]
        own, foreign = [], []
        for name in statement.names:
            provided = self.provides(definition, spelled, name.name)
            (own if provided else foreign).append(name)
        result = [statement.only(tuple(own))] if own else []
        for name in foreign:
            original = _original_neighbour(module, definition, spelled, name, self.parent_model)
            result.append(replace(original, lead="" if own else statement.lead))
        return result

    def adapt_text(self, text: str, module: str, definition: Definition) -> str:
        """See :class:`Convention`."""
        if self._is_own(module) or "from ." not in text:
            return text
        return re.sub(
            r"^([ \t]+from[ \t]+)(\.+[\w.]*)(?=[ \t]+import\b)",
            lambda match: match.group(1) + resolve_relative(match.group(2), module),
            text,
            flags=re.MULTILINE,
        )

    def _is_own(self, spelled: str) -> bool:
        return self._absolute(spelled).startswith(f"{self.package}.")

    def _absolute(self, spelled: str) -> str:
        """Relative imports are written as seen from the generated file."""
        if not spelled.startswith("."):
            return spelled
        return resolve_relative(spelled, f"{self.package}.model.file")


def resolve_relative(spelled: str, module: str) -> str:
    """Absolute module path of the relative import ``spelled`` inside ``module``."""
    level = len(spelled) - len(spelled.lstrip("."))
    parts = module.split(".")[: -level or None]
    rest = spelled.lstrip(".")
    return ".".join([*parts, rest] if rest else parts)


def _original_neighbour(
    module: str,
    definition: Definition,
    spelled: str,
    name: ImportedName,
    parent_model: Callable[[str], str],
) -> ImportStatement:
    """Import the parent's own neighbour under the name that the renamed code uses."""
    kind = next(kind for kind in FILE_TYPES if spelled.startswith(kind))
    package = module.rsplit(".", 1)[0]
    source = f"{package}.{kind}_{parent_model(module)}"
    return ImportStatement(source, (name,))


def matches_any(name: str, patterns: Collection[str]) -> bool:
    """Whether a name matches one of the shell-style patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
