"""The advice of `explain` carried out: what it says to edit changes the line, and nothing that it should not."""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import PurePosixPath

import pytest

from tests.cli.test_explain import line_of
from tests.cli.trees import Sandbox

_BESIDE = '''\
"""Beside the others, from the same parent as beta."""

from ..alpha.modeling_alpha import AlphaAttention, AlphaModel, AlphaOutput
from ..alpha.modeling_alpha import scaled


class OmegaOutput(AlphaOutput):
    pass


class OmegaAttention(AlphaAttention):
    def twice(self, states):
        return scaled(scaled(states))


class OmegaModel(AlphaModel):
    pass
'''


@pytest.fixture
def beside(family: Sandbox) -> Sandbox:
    """The family with a sibling of beta, which what is done for beta must not reach."""
    family.write({"omega": _BESIDE})
    assert family.run("sync", "--root", str(family.root)).code == 0
    return family


def advice(family: Sandbox, model: str, line: str) -> dict[str, str]:
    (told,) = family.run("explain", "--json", line_of(family, model, line)).json
    return {key: str(value) for key, value in told["advice"].items()}


def generated(family: Sandbox) -> dict[str, str]:
    return {
        model: family.generated(model).read_text(encoding="utf-8")
        for model in ("alpha", "beta", "gamma", "omega")
    }


def changed(family: Sandbox, before: dict[str, str]) -> set[str]:
    result = family.run("sync", "--root", str(family.root))
    assert result.code == 0, result.err
    after = generated(family)
    return {model for model in before if before[model] != after[model]}


@pytest.mark.parametrize(
    ("model", "line", "old", "new", "reached"),
    [
        ("gamma", "return states * self.width", "width", "depth", "alpha beta gamma omega"),
        (
            "beta",
            "self.width = config.width",
            "config.width",
            "config.size",
            "alpha beta gamma omega",
        ),
        ("beta", "self.depth = 3", "3", "4", "beta gamma"),
        ("gamma", "return states * factor", "* factor", "/ factor", "alpha beta gamma omega"),
        ("omega", "heads = 4", "4", "8", "alpha beta gamma omega"),
        ("beta", "Attention of", "Attention", "Attending", "alpha beta gamma omega"),
        ("gamma", "scales first", "first", "last", "alpha beta gamma omega"),
        ("omega", "def scaled(states", "0.5", "0.25", "alpha beta gamma omega"),
        ("gamma", "@dataclass", "@dataclass", "@dataclass()", "alpha beta gamma omega"),
        ("beta", "__all__", "BetaModel", "BetaAttention", "beta"),
    ],
)
def test_the_line_to_edit_changes_the_line(
    beside: Sandbox, model: str, line: str, old: str, new: str, reached: str
) -> None:
    before = generated(beside)
    everywhere = advice(beside, model, line)["everywhere"]
    match = re.match(r"edit (\S+\.py):(\d+)", everywhere)
    assert match, everywhere
    source, number = beside.root / match[1], int(match[2])
    lines = source.read_text(encoding="utf-8").split("\n")
    assert old in lines[number - 1]
    lines[number - 1] = lines[number - 1].replace(old, new)
    source.write_text("\n".join(lines), encoding="utf-8")
    there = changed(beside, before)
    assert there == set(reached.split())
    first = next(each for each in before[model].split("\n") if line in each)
    kept = beside.generated(model).read_text(encoding="utf-8").split("\n")
    assert kept.count(first) < before[model].split("\n").count(first)


def written(family: Sandbox, here: str, code: str) -> None:
    """Write code where the advice says that it goes."""
    if match := re.fullmatch(
        r"write the class (\w+)\((\w+)\), imported from (\S+), into (\S+)", here
    ):
        name, parent, module, path = match.groups()
        file = PurePosixPath(module)
        place = f"from ..{file.parent.name}.{file.stem} import {parent}\n"
        text = (family.root / path).read_text(encoding="utf-8").replace("\n\n", f"\n\n{place}", 1)
        text += f"\n\nclass {name}({parent}):\n{textwrap.indent(code, ' ' * 4)}"
    elif match := re.fullmatch(
        r"write the function \w+ into (\S+), in place of its import in line (\d+)", here
    ):
        path, number = match[1], int(match[2])
        lines = (family.root / path).read_text(encoding="utf-8").split("\n")
        del lines[number - 1]
        text = "\n".join(lines) + f"\n\n{code}"
    else:
        match = re.fullmatch(r"(?:write|change) .*?, (\S+\.py):(\d+)", here)
        assert match, here
        path, number = match[1], int(match[2])
        text = (family.root / path).read_text(encoding="utf-8")
        (node,) = (
            each
            for each in ast.walk(ast.parse(text))
            if isinstance(each, (ast.ClassDef, ast.FunctionDef)) and each.lineno == number
        )
        lines = text.split("\n")
        indent = " " * node.body[0].col_offset
        if here.startswith("write decorators"):
            lines.insert(number - 1, textwrap.indent(code, " " * node.col_offset).rstrip())
        elif here.startswith("write a docstring"):
            lines.insert(node.body[0].lineno - 1, textwrap.indent(code, indent).rstrip())
        else:
            lines[node.end_lineno or number : node.end_lineno] = [textwrap.indent(code, indent)]
        text = "\n".join(lines)
    (family.root / path).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("model", "line", "code", "reached"),
    [
        # No class in the definition yet, a class without the method, a method that calls its parent's.
        (
            "gamma",
            "return states * self.width",
            "def forward(self, states):\n    return states\n",
            "gamma",
        ),
        (
            "omega",
            "return states * self.width",
            "def forward(self, states):\n    return states\n",
            "omega",
        ),
        (
            "beta",
            "return states * self.width",
            "def forward(self, states):\n    return states\n",
            "beta gamma",
        ),
        ("beta", "self.width = config.width", "self.width = 5\n", "beta gamma"),
        ("omega", "heads = 4", "heads = 8\n", "omega"),
        ("omega", "Attention of", '"""Another one."""\n', "omega"),
        # A function that the definition imports.
        (
            "omega",
            "return states * factor",
            "def scaled(states, factor=0.5):\n    return -states\n",
            "omega",
        ),
        # What stands around a body.
        ("omega", "@dataclass", "@dataclass(repr=False)", "omega"),
    ],
)
def test_an_override_here_changes_this_model_only(
    beside: Sandbox, model: str, line: str, code: str, reached: str
) -> None:
    """This one, and what is built from it."""
    before = generated(beside)
    here = advice(beside, model, line)["here"]
    written(beside, here, code)
    assert changed(beside, before) == set(reached.split()), here
    assert code.strip().split("\n")[-1].strip() in beside.generated(model).read_text(
        encoding="utf-8"
    )
