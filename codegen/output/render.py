"""Lay drafts out as text through the templates; every decision was made before."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from codegen.expansion.model import DraftFile

if TYPE_CHECKING:
    from jinja2 import Environment


def template_folder() -> Path:
    """Where the templates are: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"


@cache
def _environment() -> Environment:
    # Imported late: a run with nothing to do renders nothing.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(template_folder()),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )


def render(template: str, **values: object) -> str:
    """A template with its values filled in."""
    return _environment().get_template(template).render(**values)


def render_page(template: str, **values: object) -> str:
    """A page of HTML; everything that is filled in is escaped."""
    pages = _environment().overlay(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return pages.get_template(template).render(**values)


def render_banner(template: str, model: str, path: str) -> str:
    """The lines that mark a generated file; ``path`` is that of its definition."""
    file = path.rsplit("/", 1)[-1]
    return _environment().get_template(template).render(model=model, path=path, file=file)


def render_draft(draft: DraftFile, banner: str) -> str:
    """A generated file as text, before formatting."""
    return (
        _environment()
        .get_template("module.py.j2")
        .render(banner=banner, header=draft.header, imports=draft.imports, items=draft.items)
    )


def render_helpers(source: str) -> str:
    """The helper module of a model's folder, before formatting."""
    return f"{_environment().get_template('helpers_banner.py.j2').render()}\n{source}"
