"""Verification cases: tiny configurations and inputs per encoder, read from data files.

``models.json`` beside this module holds the known encoders. A user gives more in a file of the same
shape (``verify --cases FILE``), or a factory ``module:function`` that returns a built encoder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("models.json")
_KINDS = ("vision", "image", "audio")


class CaseError(ValueError):
    """A case file is malformed; the message names the case and the key."""


@dataclass(frozen=True)
class Case:
    """One encoder to verify.

    ``module`` is relative to the package, ``config`` the keyword arguments of its configuration class,
    ``rows`` name and shape of the data input (``"N"`` is the number of packed rows). ``grids`` are
    named lists of ``(t, h, w)`` rows; audio cases have ``lengths``.
    """

    name: str
    module: str
    encoder: str
    config: Mapping[str, Any]
    rows: str
    shape: tuple[Any, ...]
    kind: str = "vision"
    grid: str = "grid_thw"
    grids: Mapping[str, Sequence[Sequence[int]]] = field(default_factory=dict)
    export_grids: Sequence[Sequence[Sequence[int]]] = ()
    merge_sizes: Sequence[Sequence[int]] = ()
    lengths: Sequence[Sequence[int]] = ()
    export_lengths: Sequence[Sequence[int]] = ()
    factory: str = ""

    @property
    def model(self) -> str:
        """Name of the model: the folder of the module."""
        return self.module.split(".")[-2]


def load_cases(path: Path | None = None) -> dict[str, Case]:
    """Read the built-in cases and those of an extra file.

    Raises:
        CaseError: a case lacks a key or refers to an unknown one.
    """
    data = json.loads(DATA.read_text(encoding="utf-8"))
    entries = dict(data["models"])
    if path is not None:
        entries.update(_read(path).get("models", {}))
    return {name: _case(name, entries, data["defaults"]) for name in entries}


def own_cases(path: Path) -> tuple[str, ...]:
    """Names of the cases that a file describes, encoders and whole models.

    Raises:
        CaseError: the file cannot be read, or describes none.
    """
    found = _read(path)
    names = tuple(dict.fromkeys([*found.get("models", {}), *found.get("wholes", {})]))
    if not names:
        raise CaseError(f"{path}: there is no case under the keys 'models' and 'wholes'")
    return names


def load_whole_entries(path: Path | None = None) -> dict[str, dict[str, Any]]:
    """Records of the whole models that can be checked, with those of an extra file.

    One of the extra file that has the name of a known one says only what is different.
    """
    data = json.loads(DATA.with_name("wholes.json").read_text(encoding="utf-8"))
    known: dict[str, dict[str, Any]] = data["wholes"]
    extra = _read(path).get("wholes", {}) if path is not None else {}
    return known | {name: {**known.get(name, {}), **entry} for name, entry in extra.items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as problem:
        raise CaseError(f"{path}: cannot be read as a case file: {problem}") from problem
    if not isinstance(found, dict):
        raise CaseError(f"{path}: a case file is an object with the key 'models'")
    return found


def _case(name: str, entries: Mapping[str, Any], defaults: Mapping[str, Any]) -> Case:
    entry = _inherited(name, entries)
    missing = [key for key in ("module", "encoder", "rows") if key not in entry]
    if missing:
        raise CaseError(f"case {name!r} lacks {', '.join(missing)}")
    kind = entry.get("kind", "vision")
    if kind not in _KINDS:
        raise CaseError(f"case {name!r}: kind is {kind!r}, known are {', '.join(_KINDS)}")
    frames = bool(entry.get("frames_only", False))
    grids = dict(entry.get("grids", defaults["vision_grids"]))
    if frames and "grids" not in entry:
        grids = {key: grids[key] for key in defaults["frame_grids"]}
    export = defaults["export_grids"]["frames" if frames else "vision"]
    return Case(
        name=name,
        module=entry["module"],
        encoder=entry["encoder"],
        config=entry.get("config", {}),
        rows=entry["rows"]["name"],
        shape=tuple(entry["rows"]["shape"]),
        kind=kind,
        grid=entry.get("grid", "grid_thw"),
        grids=grids if kind == "vision" else {},
        export_grids=entry.get("export_grids", export) if kind == "vision" else (),
        merge_sizes=entry.get("merge_sizes", ()),
        lengths=entry.get("lengths", ()),
        export_lengths=entry.get("export_lengths", ()),
        factory=entry.get("factory", ""),
    )


def _inherited(name: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with what its ``like`` entry says, one level deep for the configuration."""
    entry = dict(entries[name])
    base_name = entry.pop("like", None)
    if base_name is None:
        return entry
    if base_name not in entries:
        raise CaseError(f"case {name!r} is like {base_name!r}, which does not exist")
    base = _inherited(base_name, entries)
    config = {**base.get("config", {}), **entry.get("config", {})}
    for key in entry.pop("without", ()):
        config.pop(key, None)
    return {**base, **entry, "config": config}
