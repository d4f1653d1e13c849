"""``init``: a ``[tool.codegen]`` table and a first definition, for a repository that has neither."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from codegen.errors import fail
from codegen.output.render import render
from codegen.trees.config import Config, read_config

#: Settings that every project has an opinion on; the others stand below them as comments.
_SHOWN = ("definitions", "output", "formatter", "line_length")


def init_project(root: Path, model: str) -> tuple[str, ...]:
    """Write the table (into an existing ``pyproject.toml`` behind what is there) and a definition.

    Returns the paths of the files written, relative to ``root``. Raises CodegenError, with nothing
    written, where a table exists already, the model's name is none, or a file cannot be written.
    """
    if not root.is_dir():
        raise fail("no-tree", f"{root} is no folder", "", 0, "give an existing folder")
    if not model or not f"_{model}".isidentifier() or model != model.lower():
        hint = "use small letters, digits and underscores, such as pebble_vl"
        raise fail("model-name", f"{model!r} cannot be a model name", "", 0, hint)
    pyproject = root / "pyproject.toml"
    before = ""
    if pyproject.exists():
        if read_config(pyproject) is not None:
            hint = "edit it, or add a definition beside the others"
            raise fail("config", "there is a [tool.codegen] table already", str(pyproject), 0, hint)
        before = pyproject.read_text(encoding="utf-8")
    config = Config()
    definition = root / config.definitions / model / f"modular_{model}.py"
    if definition.exists():
        raise fail(
            "foreign-file", "the file exists already", str(definition), 0, "use --model NAME"
        )
    table = render("init_table.toml.j2", **_settings(config))
    cased = "".join(part.capitalize() for part in model.split("_"))
    text = render(
        "init_definition.py.j2",
        model=model,
        cased=cased,
        output=f"{config.output}/{model}/modeling_{model}.py",
        installed=importlib.util.find_spec("transformers") is not None,
    )
    separator = "\n" * (2 - (before.endswith("\n") or not before)) if before else ""
    _write(definition, text)
    _write(pyproject, f"{before}{separator}{table}")
    return tuple(path.relative_to(root).as_posix() for path in (pyproject, definition))


def _settings(config: Config) -> dict[str, Any]:
    shown = {name: _toml(getattr(config, name)) for name in _SHOWN}
    others = [
        (item.name.replace("_", "-"), item.metadata["help"], _toml(_default(item)))
        for item in fields(Config)
        if item.name not in _SHOWN
    ]
    return {**shown, "others": others}


def _default(item: Any) -> Any:
    return item.default_factory() if item.default_factory is not MISSING else item.default


def _toml(value: Any) -> str:
    """A value in TOML, which spells these as JSON does."""
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise fail("write", f"cannot write the file: {error}", str(path)) from None
