"""Put header, imports and definitions of each generated file together (before formatting)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from codegen.errors import CodegenError, fail
from codegen.expansion.model import Definition, DraftFile, Item, Piece
from codegen.expansion.pool import bound_names, guard_names, select_imports, used_names
from codegen.text.imports import ImportedName, ImportGuard, ImportStatement, PoolEntry
from codegen.trees.conventions import Convention

Placed = dict[str, tuple[float, Item]]


def assemble_files(
    definition: Definition,
    placed: dict[str, Placed],
    pool: Sequence[PoolEntry],
    exports: Mapping[str, Sequence[str]],
    convention: Convention,
    always: Mapping[str, Sequence[ImportStatement]] | None = None,
    wanted: Mapping[str, Collection[str]] | None = None,
) -> list[DraftFile]:
    """Return the drafts of all files, in the order of the file types.

    ``placed`` gives each file's definitions with their indexes, ``exports`` the quoted entries of
    its ``__all__``, ``always`` imports that stand in a file whatever the pool holds, ``wanted`` names
    that a file imports even if nothing in it needs them.
    """
    path = definition.module.source.path
    both = {"image_processing", "image_processing_pil"} <= placed.keys()
    if both and convention.dialect.pil_kwargs == "copied":
        _copy_for_pil(placed, pool, path, convention)
    drafts = []
    for kind in convention.dialect.file_types:
        if kind not in placed and kind not in exports:
            continue
        items = [item for _, item in sorted(placed.get(kind, {}).values(), key=lambda x: x[0])]
        if exports.get(kind):
            listed = ", ".join(exports[kind])
            text = f"__all__ = [{listed}]"
            items.append(Item("__all__", "exports", definition.exports_lead, text, f"{path}:0"))
        asked = (wanted or {}).get(kind, ())
        imports = _imports(items, pool, path, asked, convention.dialect.python_meaning)
        forced = (always or {}).get(kind, ())
        imports = [*forced, *(entry for entry in imports if entry not in forced)]
        if kind in convention.dialect.guarded_types:
            imports = _guard_torch(imports)
        pieces = tuple(Piece(entry.lead, entry.text()) for entry in imports)
        name = f"{convention.dialect.module_name(kind, definition.model)}.py"
        drafts.append(DraftFile(kind, name, definition.module.header, pieces, tuple(items)))
    return drafts


def _code(items: Sequence[Item]) -> str:
    return "".join(f"{item.lead}{item.text}\n" for item in items)


def _imports(
    items: Sequence[Item],
    pool: Sequence[PoolEntry],
    path: str,
    wanted: Collection[str] = (),
    as_conditions: bool = False,
) -> list[PoolEntry]:
    used = used_names(_code(items), items, bound_names(pool)) | guard_names(pool)
    defined = {item.name for item in items}
    return select_imports(pool, used.union(wanted), defined, path, as_conditions)


def _copy_for_pil(
    placed: dict[str, Placed], pool: Sequence[PoolEntry], path: str, convention: Convention
) -> None:
    """Copy what the PIL file would import from the torchvision file into the PIL file."""
    torchvision, pil = placed["image_processing"], placed["image_processing_pil"]
    items = [item for _, item in sorted(pil.values(), key=lambda entry: entry[0])]
    for entry in _imports(items, pool, path):
        if not isinstance(entry, ImportStatement) or entry.module is None:
            continue
        module = entry.module.lstrip(".")
        if not module.startswith("image_processing_"):
            continue
        if module.startswith(convention.dialect.shared_image_modules):
            continue
        kinds = {index: item.kind for index, item in pil.values()}
        for name in entry.names:
            index, item = torchvision.get(name.name, (-1.0, None))
            if item is None or index not in kinds:
                raise _no_copy(name.name, items, item is not None)
            before = kinds[index] in ("class", "function")
            pil[name.name] = (index - 0.5 if before else index + 0.5, item)
        return


def _no_copy(name: str, items: Sequence[Item], exists: bool) -> CodegenError:
    """What a PIL file needs of the torchvision file cannot be copied; told at its first class."""
    user = next((item for item in items if item.kind == "class"), items[0])
    path, _, line = user.origin.rpartition(":")
    reason = (
        "the PIL file has no definition at the place that it has in the torchvision file"
        if exists
        else "the torchvision file does not define it"
    )
    return fail(
        "pil-copy",
        f"{user.name} needs {name}, which cannot be copied: {reason}",
        path,
        int(line),
        f"define {name} in a module that both files can import",
    )


def _guard_torch(imports: Sequence[PoolEntry]) -> list[PoolEntry]:
    """Move torch and torchvision imports under guards of their availability."""
    groups: dict[str, list[ImportStatement]] = {"torch": [], "torchvision": []}
    rest: list[PoolEntry] = []
    for entry in imports:
        if isinstance(entry, ImportGuard):
            group = next(
                (g for g in groups if f"is_{g}_available()" in entry.text() and not entry.tail),
                None,
            )
            if group:
                groups[group] += entry.body
            else:
                rest.append(entry)
            continue
        source = (entry.lead + entry.text()).lstrip()
        if re.match(r"(?:import|from) torchvision", source):
            groups["torchvision"].append(entry)
        elif re.match(r"(?:import|from) torch", source):
            groups["torch"].append(entry)
        else:
            rest.append(entry)
    needed = [f"is_{group}_available" for group, found in groups.items() if found]
    rest = _import_availability(rest, needed)
    for group, found in groups.items():
        if found:
            rest.append(ImportGuard(f"is_{group}_available()", tuple(found), ""))
    return rest


def _import_availability(imports: list[PoolEntry], needed: Sequence[str]) -> list[PoolEntry]:
    """Import the availability functions from the first import of ``utils`` that lacks some."""
    if not needed:
        return imports
    for index, entry in enumerate(imports):
        if not isinstance(entry, ImportStatement) or entry.module is None:
            continue
        module = entry.module.lstrip(".")
        present = {name.bound for name in entry.names}
        missing = [name for name in needed if name not in present]
        if (module == "utils" or module.endswith(".utils")) and missing:
            names = (*entry.names, *(ImportedName(name) for name in missing))
            return [*imports[:index], replace(entry, names=names), *imports[index + 1 :]]
    names = tuple(ImportedName(name) for name in sorted(needed))
    return [ImportStatement("...utils", names), *imports]
