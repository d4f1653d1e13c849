"""From what a command line or a traceback names to a file of a tree and a line or member of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from codegen.errors import CodegenError, fail
from codegen.explain.atlas import Atlas
from codegen.explain.named import Named, find_named, named_in
from codegen.explain.steps import listed
from codegen.trees.banners import carries_banner
from codegen.trees.definitions import model_of_file
from codegen.trees.names import HELPERS
from codegen.trees.sources import read_text
from codegen.trees.tree import Tree, open_tree

_MOST_HINTS = 3


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked about: a file, with the number of a line or the name of a member."""

    file: Path
    line: int = 0
    member: str = ""


def read_target(spelled: str) -> Target:
    """``FILE:LINE`` or ``FILE:CLASS.METHOD``.

    Raises:
        CodegenError: it is neither.
    """
    file, _, rest = spelled.rpartition(":")
    if file and rest.isdigit():
        return Target(Path(file), int(rest))
    if file and re.fullmatch(r"[^\W\d]\w*(?:\.\w+)*", rest):
        return Target(Path(file), member=rest)
    raise fail(
        "explain-target",
        f"{spelled} names no line",
        "",
        0,
        "give FILE:LINE or FILE:CLASS.METHOD, or pipe a traceback in",
    )


def tree_around(file: Path) -> Tree | None:
    """The tree that encloses a file; of a package the one that has its name in the paths."""
    for folder in file.resolve().parents:
        tree = _opened(folder)
        if tree is not None and tree.kind != "project":
            outer = filter(None, map(_opened, (folder.parent.parent, folder.parent)))
            return next((each for each in outer if each.kind != "project"), tree)
        if tree is not None:
            return tree
    return None


def _opened(folder: Path) -> Tree | None:
    try:
        return open_tree(folder, None)
    except CodegenError as error:
        if error.diagnostics[0].code != "no-tree":
            raise
    return None


def find_file(atlas: Atlas, file: Path) -> str:
    """The path of a generated file in its tree.

    Raises:
        CodegenError: there is no such file, it is no text, or it is not generated.
    """
    for base in (Path.cwd(), atlas.tree.output, atlas.tree.root):
        place = _resolved(base / file)
        if place is not None and place.is_relative_to(atlas.tree.output):
            path = place.relative_to(atlas.tree.output).as_posix()
            read_text(place, path)  # raises for what is no text
            if atlas.is_generated(path):
                return path
            raise _not_generated(atlas, path)
    raise _no_file(atlas, file)


def _resolved(file: Path) -> Path | None:
    """Where a file really is; None if there is none, or its name cannot be one."""
    try:
        place = file.expanduser().resolve()
        return place if place.is_file() else None
    except (OSError, ValueError, RuntimeError):
        return None


def _no_file(atlas: Atlas, file: Path) -> CodegenError:
    known = [path for path in atlas.owners if (atlas.tree.output / path).is_file()]
    for base in (Path.cwd(), atlas.tree.output, atlas.tree.root):
        if (base / file).is_dir():
            inside = (base / file).resolve()
            there = [path for path in known if (atlas.tree.output / path).is_relative_to(inside)]
            hint = f"generated files in it: {listed(there)}" if there else "give FILE:LINE"
            return fail("no-file", "this is a folder", str(file), 0, hint)
    names = {path.rpartition("/")[2]: path for path in known}
    close = get_close_matches(file.name, list(names), _MOST_HINTS, 0.8)
    hint = f"did you mean {' or '.join(names[name] for name in close)}?" if close else ""
    return fail("no-file", "there is no such file in the tree", str(file), 0, hint)


def _not_generated(atlas: Atlas, path: str) -> CodegenError:
    name = path.rpartition("/")[2]
    model = model_of_file(name)
    if name == f"{HELPERS}.py" and carries_banner(atlas.text(path)):
        hint = "each function in it is a copy of one in the modules of codegen's `utils`"
        return fail("not-generated", "the file holds copies of runtime helpers", path, 0, hint)
    if model is not None:
        made = [item for item, owner in atlas.owners.items() if owner == model]
        there = [item for item in made if (atlas.tree.output / item).is_file()]
        hint = f"it is a definition, read by people; from it come {', '.join(there)}"
    elif path in atlas.owners:
        hint = (
            f"{atlas.tree.definition(atlas.owners[path]).path} gives a file of this name, but this one "
            "does not begin as generated files do: `python -m codegen check` tells what is to be done"
        )
    else:
        folder = path.rpartition("/")[0].rpartition("/")[2]
        hint = "it is written by hand: its lines come from nowhere else"
        if folder and path in atlas.users:
            hint += f"; `python -m codegen impact {folder}` tells where they go"
    return fail("not-generated", "the file is not generated", path, 0, hint)


def find_member(atlas: Atlas, path: str, name: str) -> Named:
    """A class, method or function of a generated file.

    Raises:
        CodegenError: the file does not have it.
    """
    members = named_in(atlas.text(path))
    found = find_named(members, name)
    if found is not None:
        return found
    known = [member.name for member in members if member.kind != "import"]
    ends = [each for each in known if each.endswith(f".{name}")]
    close = ends[:_MOST_HINTS] or get_close_matches(name, known, _MOST_HINTS)
    hint = f"did you mean {' or '.join(close)}?" if close else "see the file for its members"
    raise fail("no-member", f"the file has no {name}", path, 0, hint)


def check_line(atlas: Atlas, path: str, line: int) -> None:
    """Raise CodegenError for a line that a file does not have."""
    count = len(atlas.text(path).removesuffix("\n").split("\n"))
    if not 0 < line <= count:
        raise fail("no-line", f"the file has no line {line}", path, 0, f"it has {count} lines")
