"""Settings of a project: the ``[tool.codegen]`` table of its ``pyproject.toml``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from keyword import iskeyword
from pathlib import Path, PurePosixPath
from typing import Any

from codegen.errors import fail
from codegen.store.system import read_regular

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FORMATTERS = ("black", "ruff", "none")
#: How assignments behind ``super().__init__`` are read: as a replacement, or as Python does.
SUPER_CALLS = ("convention", "python")
LONGEST_LINE = 320
#: The rewrite passes of this tool, in the order that they need.
PASSES = ("extract", "lift", "capture", "expand_tokens")
#: Bytes in the name of a file, on the systems in use.
_LONGEST_NAME = 200
#: What names in ``[tool.codegen.vocabulary]`` stand for: fields of :class:`codegen.rewrite.vocabulary.Vocabulary`.
ROLES = (
    *("grids", "lengths", "merge-sizes", "frequencies"),
    *("merge-fields", "patch-fields", "window-fields", "table-fields"),
)
#: Installed modules whose classes are expanded unless the configuration says otherwise.
DEFAULT_EXPAND = ("transformers.models.*",)
DEFAULT_KEEP = ("transformers.models.auto.*",)


def _setting(help: str, default: Any) -> Any:
    """A setting with its default and what is said of it in the schema and by ``init``."""
    metadata = {"help": help}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything in the configuration that can change the output."""

    definitions: str = _setting("folder of the modular_<model>.py files", "definitions")
    output: str = _setting("folder, and package, of the generated files", "generated")
    formatter: str = _setting("formatter of the generated files", "black")
    line_length: int = _setting("longest line that the formatter writes", 100)
    include: tuple[str, ...] = _setting("patterns of the models to generate", ("*",))
    exclude: tuple[str, ...] = _setting("patterns of models to leave out", ())
    expand: tuple[str, ...] = _setting(
        "patterns of installed modules that are folded into what inherits from them", DEFAULT_EXPAND
    )
    keep_imports: tuple[str, ...] = _setting("exceptions to expand", DEFAULT_KEEP)
    names: Mapping[str, str] = _setting(
        "how a model's name is spelled in class names, where it cannot be told", {}
    )
    rewrite: bool = _setting("run the rewrite passes", False)
    helpers: str = _setting(
        "package of the runtime helpers (default: written beside each model's files)", ""
    )
    vocabulary: Mapping[str, tuple[str, ...]] = _setting(
        "further names that the passes look for, by role", {}
    )
    passes: tuple[str, ...] = _setting(
        "the rewrite passes in their order: ours, and codemods as file.py:Class or module:Class",
        PASSES,
    )
    keep: tuple[str, ...] = _setting(
        "classes and methods (Class.method) that the passes leave as they are", ()
    )
    super_calls: str = _setting(
        "whether an assignment behind super().__init__ takes the place of the parent's "
        "(convention), or stands beside it (python)",
        "convention",
    )


def read_config(pyproject: Path) -> Config | None:
    """The project's settings; None when the file has no ``[tool.codegen]`` table.

    Raises CodegenError for an unreadable file, an unknown key or a value of the wrong type.
    """
    table = _read_table(pyproject)
    if table is None:
        return None
    known = {item.name.replace("_", "-"): item for item in fields(Config)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            close = get_close_matches(key, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"known keys: {', '.join(known)}"
            raise fail("config", f"unknown key {key!r} in [tool.codegen]", str(pyproject), 0, hint)
        values[known[key].name] = _checked(key, value, str(pyproject))
    config = _placed(Config(**values), str(pyproject))
    _check_choices(config, str(pyproject))
    return config


def _read_table(pyproject: Path) -> Mapping[str, Any] | None:
    """The ``[tool.codegen]`` table of a file, None where it has none."""
    try:
        data = tomllib.loads(read_regular(pyproject).decode("utf-8-sig"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise fail("config", f"cannot read the configuration: {reason}", str(pyproject)) from None
    except RecursionError:
        message = "cannot read the configuration: it is nested too deeply"
        raise fail("config", message, str(pyproject)) from None
    except ValueError as error:  # as for broken syntax, other encodings and endless numbers
        raise fail("config", f"cannot read the configuration: {error}", str(pyproject)) from None
    tools = data.get("tool", {})
    table = tools.get("codegen") if isinstance(tools, dict) else None
    if table is None:
        return None
    if not isinstance(table, dict):
        raise fail("config", "[tool.codegen] must be a table", str(pyproject))
    return table


def _check_choices(config: Config, pyproject: str) -> None:
    """Every setting has one of the values that there are."""
    if not 1 <= config.line_length <= LONGEST_LINE:
        message = f"line-length in [tool.codegen] must be from 1 to {LONGEST_LINE}"
        raise fail("config", message, pyproject)
    if config.formatter not in FORMATTERS:
        message = f"unknown formatter {config.formatter!r} in [tool.codegen]"
        raise fail("config", message, pyproject, 0, f"use one of {', '.join(FORMATTERS)}")
    _check_passes(config.passes, pyproject)
    if config.super_calls not in SUPER_CALLS:
        message = f"unknown value {config.super_calls!r} of super-calls in [tool.codegen]"
        raise fail("config", message, pyproject, 0, f"use one of {', '.join(SUPER_CALLS)}")


def _check_passes(passes: Sequence[str], pyproject: str) -> None:
    """Every pass is one of ours, in their order, or a reference to a codemod of the project's."""
    ours = [name for name in passes if name in PASSES]
    if ours != [name for name in PASSES if name in ours]:
        message = (
            f"{', '.join(ours)} in passes of [tool.codegen] stand in another order than they need"
        )
        raise fail(
            "config", message, pyproject, 0, f"their order is {', '.join(PASSES)}, each once"
        )
    for name in passes:
        place, _, cls = name.rpartition(":")
        inside = not PurePosixPath(place).is_absolute() and ".." not in PurePosixPath(place).parts
        named = place.endswith(".py") or all(part.isidentifier() for part in place.split("."))
        if name in PASSES or (place and inside and named and cls.isidentifier()):
            continue
        close = get_close_matches(name, PASSES, 1)
        hint = (
            f"did you mean {close[0]}?" if close else "write path/to/file.py:Class or module:Class"
        )
        raise fail("config", f"unknown pass {name!r} in [tool.codegen]", pyproject, 0, hint)


def _placed(config: Config, pyproject: str) -> Config:
    """The configuration with its folders in plain form; both must be inside the project."""
    definitions, output = PurePosixPath(config.definitions), PurePosixPath(config.output)
    for key, folder in (("definitions", definitions), ("output", output)):
        if folder.is_absolute() or ".." in folder.parts:
            message = f"{key} in [tool.codegen] must be a folder inside the project, not {folder}"
            raise fail("config", message, pyproject, 0, "give a path relative to the project")
        if odd := _odd_part(folder):
            message = f"{key} in [tool.codegen] cannot be a folder: {odd}"
            raise fail("config", message, pyproject, 0, "give the name of a folder")
    hidden = next((part for part in output.parts if part.startswith(".")), "")
    if hidden:
        message = f"output in [tool.codegen] must not be hidden, as {hidden} is"
        raise fail("config", message, pyproject, 0, "name the package that generated files form")
    if ".git" in definitions.parts:
        message = "definitions in [tool.codegen] cannot be in .git"
        raise fail("config", message, pyproject, 0, "name the folder that holds them")
    if not output.parts:
        message = "output in [tool.codegen] must be a folder of its own"
        raise fail("config", message, pyproject, 0, "name the package that generated files form")
    return replace(config, definitions=str(definitions), output=str(output))


def _odd_part(folder: PurePosixPath) -> str:
    """What keeps a path from being one on any system, in words; "" for nothing."""
    for part in folder.parts:
        if not part.isprintable():
            return f"{part!r} has characters that no name should have"
        if len(part.encode("utf-8", "surrogateescape")) > _LONGEST_NAME:
            return f"{part[:20]}... is longer than names can be"
    return ""


def _checked(key: str, value: Any, path: str) -> Any:
    """A value of the configuration in the type that its field has."""
    default = getattr(Config(), key.replace("-", "_"))
    if isinstance(default, tuple):
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            if key == "keep":
                _check_kept(value, path)
            return tuple(value)
        expected = "a list of strings"
    elif key == "vocabulary":
        return _checked_vocabulary(value, path)
    elif isinstance(default, Mapping):
        if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
            return value
        expected = "a table of strings"
    elif type(value) is type(default):
        if key == "helpers" and value:
            _check_package(value, path)
        return value
    else:
        expected = {bool: "true or false", int: "a number", str: "a string"}[type(default)]
    raise fail("config", f"{key} in [tool.codegen] must be {expected}", path)


def _is_name(word: str) -> bool:
    """Tell whether Python takes a word for a name."""
    return word.isidentifier() and not iskeyword(word)


def _check_package(name: str, path: str) -> None:
    """Refuse what no import can name: the generated files would not parse."""
    if not all(map(_is_name, name.lstrip(".").split("."))):
        message = f"helpers in [tool.codegen] must be a package as an import names it, not {name!r}"
        raise fail("config", message, path, 0, "write package.module, or leave it out")


def _check_kept(names: Sequence[str], path: str) -> None:
    """Refuse what cannot name a class or a method: it would keep nothing, without a word."""
    for name in names:
        parts = name.split(".")
        if len(parts) > 2 or not all(map(_is_name, parts)):
            message = f"{name!r} in keep of [tool.codegen] names no class or method"
            raise fail("config", message, path, 0, "write Class or Class.method")


def _checked_vocabulary(value: Any, path: str) -> Mapping[str, tuple[str, ...]]:
    """Names for the rewrite passes: lists of strings, by the roles that the passes know."""
    if not isinstance(value, dict):
        raise fail("config", "vocabulary in [tool.codegen] must be a table of lists", path)
    for role, names in value.items():
        if role not in ROLES:
            close = get_close_matches(role, ROLES, 1)
            hint = f"did you mean {close[0]}?" if close else f"known roles: {', '.join(ROLES)}"
            message = f"unknown role {role!r} in [tool.codegen.vocabulary]"
            raise fail("config", message, path, 0, hint)
        if not isinstance(names, list) or not all(
            isinstance(n, str) and _is_name(n) for n in names
        ):
            message = f"{role} in [tool.codegen.vocabulary] must be a list of names"
            raise fail("config", message, path)
    return {role: tuple(names) for role, names in value.items()}
