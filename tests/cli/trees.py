"""Small invented trees and a way to run the command line on them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from codegen.cli import main

REPOSITORY = Path(__file__).resolve().parents[2]
GOLDEN = REPOSITORY / "tests/golden/errors"

ALPHA = '''\
"""Alpha, the root of the family."""


class AlphaConfig:
    model_type = "alpha"


class AlphaMLP:
    def __init__(self, config):
        self.width = config.width

    def forward(self, states):
        return states * self.width


class AlphaModel:
    def __init__(self, config):
        self.mlp = AlphaMLP(config)
'''
BETA = '''\
"""Beta is built from alpha."""

from ..alpha.modeling_alpha import AlphaMLP, AlphaModel


class BetaMLP(AlphaMLP):
    pass


class BetaModel(AlphaModel):
    pass
'''
GAMMA = '''\
"""Gamma is built from beta."""

from ..beta.modeling_beta import BetaModel


class GammaModel(BetaModel):
    pass
'''
DELTA = '''\
"""Delta stands alone."""


class DeltaModel:
    depth = 1
'''
FAMILY = {"alpha": ALPHA, "beta": BETA, "gamma": GAMMA, "delta": DELTA}

PROJECT = """\
[tool.codegen]
definitions = "definitions"
output = "generated"
formatter = "none"
"""


@dataclass(frozen=True)
class Result:
    """What a command returned and printed."""

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.out)

    def expanded(self) -> set[str]:
        """Models that were expanded, from a JSON report."""
        return {item["model"] for item in self.json["models"] if item["expanded"]}

    def states(self) -> dict[str, str]:
        """State of every model, from a JSON report."""
        return {item["model"]: item["state"] for item in self.json["models"]}


@dataclass
class Sandbox:
    """A tree in a temporary folder; ``definitions`` and ``output`` say where things are in it."""

    root: Path
    capture: pytest.CaptureFixture[str]
    update: bool
    definitions: str = "definitions"
    output: str = "generated"
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def definition(self, model: str) -> Path:
        """Place of a definition."""
        return self.root / self.definitions / model / f"modular_{model}.py"

    def generated(self, model: str, kind: str = "modeling") -> Path:
        """Place of a generated file."""
        return self.root / self.output / model / f"{kind}_{model}.py"

    def write(self, models: Mapping[str, str | bytes]) -> None:
        """Write definitions by model name."""
        for model, text in models.items():
            place = self.definition(model)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text.encode() if isinstance(text, str) else text)

    def run(self, *arguments: str) -> Result:
        """Run a command in this process."""
        self.capture.readouterr()
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = self.capture.readouterr()
        return Result(arguments, code, out, err)

    def start(
        self, *arguments: str, hook: str = "", options: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        """Start a command in a process of its own, after the Python code ``hook``."""
        code = f"{hook}\nimport sys\nfrom codegen.cli import main\nsys.exit(main())"
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        process = subprocess.Popen(
            [sys.executable, *options, "-c", code, *arguments],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def close(self) -> None:
        """End what was started and is still there."""
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def run_apart(self, *arguments: str, hook: str = "", options: Sequence[str] = ()) -> Result:
        """Run a command in a process of its own to its end."""
        process = self.start(*arguments, hook=hook, options=options)
        out, err = process.communicate(timeout=60)
        return Result(arguments, process.returncode, out, err)

    def files(self) -> dict[str, bytes]:
        """Everything in the tree but the cache folder, by relative path."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and ".codegen_cache" not in path.parts
        }

    def outputs(self) -> set[str]:
        """Names of all files below the output folder."""
        folder = self.root / self.output
        return {path.name for path in folder.rglob("*") if path.is_file()}

    def expect(self, name: str, result: Result, folder: Path = GOLDEN) -> None:
        """Compare what a command said with the golden file ``name`` of a folder."""
        command = " ".join(["python -m codegen", *result.arguments])
        said = "\n".join(filter(None, (result.out.rstrip(), result.err.rstrip())))
        text = self._neutral(f"$ {command}\n{said}\nexit code: {result.code}\n")
        place = folder / f"{name}.txt"
        if self.update:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
            return
        assert place.is_file(), f"{place} is missing: run pytest with --update-golden"
        expected = place.read_text(encoding="utf-8")
        assert text == expected, "run pytest with --update-golden if the new message is meant"

    def _neutral(self, text: str) -> str:
        """The text without what differs from run to run."""
        text = text.replace(str(self.root), "<root>").replace(str(self.root.parent), "<outside>")
        return re.sub(r"\d+\.\d s\)", "0.0 s)", text)
