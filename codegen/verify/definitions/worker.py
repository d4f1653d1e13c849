"""One side of one definition, in a process of its own."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing.connection import Connection
from typing import Any

from codegen.verify.definitions.load import Sides, project
from codegen.verify.definitions.running import run_class
from codegen.verify.definitions.sides import load_side
from codegen.verify.torchvision_operators import declare_torchvision_operators


def describe_apart(
    connection: Connection, sides: Sides, side: str, paths: Sequence[str], running: bool
) -> None:
    """Import one side (``plain``, or the name of a generated module), describe it, and send that."""
    sys.path[:0] = [path for path in paths if path not in sys.path]
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    sys.dont_write_bytecode = True
    declare_torchvision_operators()
    # What a model prints while it is imported is not for whoever reads the table.
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        try:
            connection.send(_describe(sides, side, running))
        except BaseException as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{type(error).__name__}: {error}"[:500]
            connection.send({"failure": f"{text} ({place.filename}:{place.lineno})"})
    connection.close()
    os._exit(0)  # no library's clean-up: it may wait for what is not there


def _describe(sides: Sides, side: str, running: bool) -> dict[str, Any]:
    kind = side if side == "plain" else "generated"
    with project(sides) as roles:
        loaded = load_side(sides, kind, roles, "" if side == "plain" else side)
        runs: dict[str, Any] = {}
        decorated: dict[str, Any] = {}
        _quiet(1)
        classes = [
            value
            for name, item in loaded.described["names"].items()
            for value in [vars(loaded.modules[0]).get(name)]
            if item[0] == "class" and isinstance(value, type)
        ]
        for cls in classes if running else ():
            runs |= run_class(cls, loaded.describer)
        for cls in classes if running and side == "plain" else ():
            if _decorate(cls, *sides.decorators.get(cls.__name__, ("", ()))):
                decorated |= run_class(cls, loaded.describer)
        return {**loaded.described, "runs": runs, "decorated": decorated}


def _decorate(cls: type, module: str, decorators: Sequence[str]) -> bool:
    """Whether a class took the decorators of its parent, which are written in this module."""
    try:
        for text in decorators:
            if eval(text, vars(sys.modules[module]))(cls) is not cls:
                return False
    except Exception:  # some look for the file that the class is written in
        return False
    return bool(decorators)


def _quiet(threads: int) -> None:
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)
