"""How a tree spells things: which imports are parents, what the banner says, which dialect holds.

Two conventions exist: that of the transformers library, whose releases speak slightly different
dialects, and that of a project with ``[tool.codegen]``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from codegen.text.imports import ImportedName, ImportGuard, ImportStatement, PoolEntry
from codegen.trees.dialect import Dialect
from codegen.trees.names import FILE_TYPES, HELPERS
from codegen.trees.reexports import (
    Home,
    classes_near,
    find_home,
    installed_file,
    installed_folder,
    made_late,
    similar_module,
    source_below,
)

#: Whether a neighbour file of the generated one (``configuration_beta``) defines a name.
Provides = Callable[[str, str], bool]

_TYPES = "|".join(FILE_TYPES)
_NEAR_PARENT = re.compile(rf"\.\.\w+\.(?:{_TYPES})")
_PARENT_MODULE = re.compile(rf"(?:{_TYPES})_(\w+)$")


class Convention(Protocol):
    """What the expansion asks about the tree it works for."""

    @property
    def dialect(self) -> Dialect:
        """The variant of the rules that holds in the tree."""

    @property
    def banner_template(self) -> str:
        """File name of the banner's template."""

    def parent_module(self, spelled: str) -> str | None:
        """Absolute name of the parent that an import spells, or None if it is no parent."""

    def stays_import(self, spelled: str) -> bool:
        """Whether an import of the definition remains available to the generated files."""

    def import_problem(self, spelled: str, names: Sequence[str]) -> tuple[str, str] | None:
        """Message and hint for an import that a definition may not contain."""

    def base_home(self, spelled: str, name: str) -> Home | tuple[str, str] | None:
        """The parent that defines a base class which is imported from elsewhere.

        None if the base stays an import; message and hint if nothing defines it.
        """

    def parent_model(self, module: str) -> str:
        """Model name of a parent module; "" where its name says none."""

    def describe(self, module: str) -> str:
        """How a parent module is named in messages."""

    def adapt_import(
        self, renamed: PoolEntry, original: PoolEntry, module: str, provides: Provides
    ) -> list[PoolEntry]:
        """Spell a renamed import of parent ``module`` so that it works in the generated file."""

    def adapt_text(self, text: str, module: str) -> str:
        """The same for the imports inside a copied definition."""

    def locate(self, spelled: str, module: str) -> str:
        """How a generated file spells a module that ``module`` imports as ``spelled``."""

    def module_of(self, model: str) -> str:
        """Dotted name of a generated file of a model, from which relative imports are seen."""


@dataclass(frozen=True)
class TransformersConvention:
    """The transformers library, in the dialect of the tree's release."""

    dialect: Dialect
    banner_template: str = "transformers_banner.py.j2"

    def parent_module(self, spelled: str) -> str | None:
        """See :class:`Convention`."""
        if "auto.modeling_auto" in spelled:
            return None
        near = _NEAR_PARENT.search(spelled)
        dotted = self.dialect.three_dot_parents and "...models." in spelled
        if not (near or "transformers.models." in spelled or dotted):
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

    def base_home(self, spelled: str, name: str) -> Home | tuple[str, str] | None:
        """See :class:`Convention`; in a library a base counts where it is imported from."""
        return None

    def parent_model(self, module: str) -> str:
        """See :class:`Convention`."""
        return module.split(".")[-2]

    def describe(self, module: str) -> str:
        """See :class:`Convention`."""
        return module

    def adapt_import(
        self, renamed: PoolEntry, original: PoolEntry, module: str, provides: Provides
    ) -> list[PoolEntry]:
        """See :class:`Convention`."""
        return [renamed]

    def adapt_text(self, text: str, module: str) -> str:
        """See :class:`Convention`."""
        return text

    def locate(self, spelled: str, module: str) -> str:
        """See :class:`Convention`."""
        return spelled

    def module_of(self, model: str) -> str:
        """See :class:`Convention`."""
        return f"transformers.models.{model}.modeling_{model}"


@dataclass(frozen=True)
class ProjectConvention:
    """A repository of one's own.

    ``package`` is the dotted name of the output folder, ``root`` the folder that contains it; ``expand`` and ``keep`` are patterns of
    installed modules that are expanded, and exceptions that stay imports.
    """

    package: str
    expand: tuple[str, ...]
    keep: tuple[str, ...]
    dialect: Dialect = Dialect()
    banner_template: str = "banner.py.j2"
    root: str = ""

    def parent_module(self, spelled: str) -> str | None:
        """See :class:`Convention`."""
        module = self._absolute(spelled)
        last = module.rsplit(".", 1)[-1]
        if not _PARENT_MODULE.match(last):
            return None
        if module.startswith(f"{self.package}."):
            return module if spelled.startswith("..") or not spelled.startswith(".") else None
        return module if self._is_expanded(module) else None

    def base_home(self, spelled: str, name: str) -> Home | tuple[str, str] | None:
        """See :class:`Convention`: through packages that hand the name on, into any module."""
        module = self._absolute(spelled)
        if self._is_own(spelled) and not spelled.startswith(".."):
            return None
        found = find_home(module, name, self._locate)
        if found is not None:
            own = found.module.startswith(f"{self.package}.")
            return found if own or self._is_expanded(found.module) else None
        if self._is_expanded(f"{module}.{name}") or self._hands_on_expanded(module):
            return self._missing_base(module, name)
        return None

    def _hands_on_expanded(self, module: str) -> bool:
        """Whether a package contains what is expanded: ``transformers`` does, by default."""
        return any(pattern.startswith(f"{module}.") for pattern in self.expand)

    def _missing_base(self, module: str, name: str) -> tuple[str, str] | None:
        if any(fnmatchcase(module, pattern) for pattern in self.keep):
            return None
        if self._locate(module) is None:
            if installed_folder(module.partition(".")[0], self.root) is None:
                return f"module {module} does not exist", f"install {module.partition('.')[0]}"
            similar = similar_module(module, self._locate)
            hint = f"did you mean {similar}?" if similar else "check the spelling"
            return f"module {module} does not exist", hint
        classes, text = classes_near(module, self._locate)
        if re.search(rf"\b{re.escape(name)}\b", text) and made_late(module, self._locate):
            return None  # made in a way that cannot be read; Python will say
        close = get_close_matches(name, classes, 3)
        if name in classes:
            return f"{module} does not export {name}", "import it from the module that defines it"
        hint = f"did you mean {' or '.join(close)}?" if close else "remove it from the import"
        return f"{module} does not define {name}", hint

    def _locate(self, module: str) -> Path | None:
        if module.startswith(f"{self.package}.") and self.root:
            return source_below(Path(self.root), module.split("."))
        return installed_file(module, self.root)

    def _is_expanded(self, module: str) -> bool:
        expanded = any(fnmatchcase(module, pattern) for pattern in self.expand)
        return expanded and not any(fnmatchcase(module, pattern) for pattern in self.keep)

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
        return match.group(1) if match else ""

    def describe(self, module: str) -> str:
        """See :class:`Convention`."""
        return module

    def adapt_import(
        self, renamed: PoolEntry, original: PoolEntry, module: str, provides: Provides
    ) -> list[PoolEntry]:
        """See :class:`Convention`."""
        if isinstance(renamed, ImportGuard) and isinstance(original, ImportGuard):
            body = [
                adapted
                for new, old in zip(renamed.body, original.body)
                for adapted in self._adapt(new, old, module, provides)
            ]
            return [replace(renamed, body=tuple(body))]
        assert isinstance(renamed, ImportStatement) and isinstance(original, ImportStatement)
        return list(self._adapt(renamed, original, module, provides))

    def _adapt(
        self,
        renamed: ImportStatement,
        original: ImportStatement,
        module: str,
        provides: Provides,
    ) -> list[ImportStatement]:
        spelled = renamed.module or ""
        if not spelled.startswith(".") or spelled == f".{HELPERS}":
            return [renamed]
        if spelled.count(".") == 1 and spelled[1:].startswith(FILE_TYPES):
            return self._adapt_neighbour(renamed, original, module, provides)
        if self._is_own(module):
            return [renamed]
        return [replace(renamed, module=resolve_relative(original.module or "", module))]

    def _adapt_neighbour(
        self,
        renamed: ImportStatement,
        original: ImportStatement,
        module: str,
        provides: Provides,
    ) -> list[ImportStatement]:
        """A neighbour of the parent becomes the model's own, or an alias of the original."""
        spelled = (renamed.module or "")[1:]
        pairs = list(zip(renamed.names, original.names))
        own = tuple(new for new, _ in pairs if provides(spelled, new.name))
        foreign = [(new, old) for new, old in pairs if new not in own]
        result = [renamed.only(own)] if own else []
        if foreign:
            source = resolve_relative(original.module or "", module)
            if source.startswith(f"{self.package}."):
                source = ".." + source.removeprefix(f"{self.package}.")
            names = tuple(
                ImportedName(old.name, new.bound if new.bound != old.name else None)
                for new, old in foreign
            )
            lead = "" if own else renamed.lead
            result.append(replace(renamed, module=source, names=names, lead=lead))
        return result

    def adapt_text(self, text: str, module: str) -> str:
        """See :class:`Convention`."""
        if self._is_own(module) or "from ." not in text:
            return text
        return re.sub(
            r"^([ \t]+from[ \t]+)(\.+[\w.]*)(?=[ \t]+import\b)",
            lambda match: match.group(1) + resolve_relative(match.group(2), module),
            text,
            flags=re.MULTILINE,
        )

    def locate(self, spelled: str, module: str) -> str:
        """See :class:`Convention`."""
        if not spelled.startswith(".") or spelled == f".{HELPERS}":
            return spelled
        target = resolve_relative(spelled, module)
        inside = target.removeprefix(f"{self.package}.")
        return f"..{inside}" if inside != target else target

    def module_of(self, model: str) -> str:
        """See :class:`Convention`."""
        return f"{self.package}.{model}.modeling_{model}"

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
