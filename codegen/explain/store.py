"""Maps of the files of a model, kept beside the cache of the tree under the same seal.

A record holds while what its model was expanded from has the same digests, the name table gives the
same answers, and the files themselves are as they were.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import tempfile
import zlib
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from codegen.explain.maps import FileMap, Spot, Substitute
from codegen.store.seal import is_sealed, seal
from codegen.store.system import read_regular

_FORMAT = 5
#: The modules that decide what a map says; the others word it.
_MAKERS = (
    "align",
    "choices",
    "cut_names",
    "instrument",
    "maps",
    "origins",
    "passed",
    "replaced",
    "tracing",
)


@dataclass(frozen=True, slots=True)
class ModelMaps:
    """The maps of the files of one model, and what they were made from (digests by path; answers of
    the name table); ``outputs`` are the digests of the files, ``current`` whether they are what the
    definition gives (None: nobody has asked yet)."""

    inputs: Mapping[str, str]
    lookups: Mapping[str, str]
    outputs: Mapping[str, str]
    maps: Mapping[str, FileMap]
    current: bool | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of such records; ``identity`` is that of what makes them. Without a folder nothing is kept."""

    folder: Path | None
    identity: str

    def load(self, model: str) -> ModelMaps | None:
        """The record of a model; None if there is none that this user has written with this tool."""
        if self.folder is None:
            return None
        try:
            text = read_regular(self.folder / f"{model}.json", follow=False).decode("utf-8")
            mark, _, body = text.removesuffix("\n").partition("\n")
            if not is_sealed(body, json.loads(mark)):
                return None
            data = json.loads(body)
            if data["format"] != _FORMAT or data["identity"] != self.identity:
                return None
            maps = {path: _unpacked(path, item) for path, item in data["maps"].items()}
            current = data["current"]
            return ModelMaps(data["inputs"], data["lookups"], data["outputs"], maps, current)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, zlib.error):
            return None

    def save(self, model: str, record: ModelMaps) -> None:
        """Keep the record of a model; where that cannot be written it is made again next time."""
        if self.folder is None:
            return
        body = json.dumps(
            {
                "format": _FORMAT,
                "identity": self.identity,
                "inputs": dict(record.inputs),
                "lookups": dict(record.lookups),
                "outputs": dict(record.outputs),
                "current": record.current,
                "maps": {path: _packed(item) for path, item in record.maps.items()},
            }
        )
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.folder, prefix=f"{model}-", suffix=".tmp")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(f"{json.dumps(seal(body))}\n{body}\n")
                os.replace(name, self.folder / f"{model}.json")
            except BaseException:
                os.unlink(name)
                raise


def identity_of_maps(tool: str) -> str:
    """Digest of what decides what maps say: the tool, by the identity of its output, and these modules."""
    digest = hashlib.sha256(tool.encode())
    for name in _MAKERS:
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()


def _packed(item: FileMap) -> dict[str, Any]:
    columns = [_differences(item.begins), list(item.files), _differences(item.offsets)]
    data = b"".join(array("i", column).tobytes() for column in columns)
    return {
        "sources": list(item.sources),
        "others": {
            str(begin): [[*each.spot, each.same] for each in substitutes]
            for begin, substitutes in item.others.items()
        },
        "parts": {str(begin): list(map(list, spots)) for begin, spots in item.parts.items()},
        "words": base64.b64encode(zlib.compress(data, 6)).decode("ascii"),
    }


def _unpacked(path: str, data: Mapping[str, Any]) -> FileMap:
    numbers = array("i")
    numbers.frombytes(zlib.decompress(base64.b64decode(data["words"])))
    count = len(numbers) // 3
    begins, files, offsets = (numbers[start * count : (start + 1) * count] for start in range(3))
    return FileMap(
        path,
        tuple(map(str, data["sources"])),
        array("I", accumulate(begins)),
        array("H", files),
        array("I", accumulate(offsets)),
        {
            int(begin): tuple(
                Substitute(Spot(str(at), int(to)), bool(same)) for at, to, same in each
            )
            for begin, each in data["others"].items()
        },
        {
            int(begin): tuple(Spot(str(at), int(to)) for at, to in each)
            for begin, each in data["parts"].items()
        },
    )


def _differences(numbers: array[int]) -> list[int]:
    return [new - old for old, new in zip((0, *numbers), numbers)]
