"""How a file spells its types, and whether it can matter at all: asked of each before anything else is."""

from __future__ import annotations

import pytest

from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.values import Source
from codegen.rewrite.vocabulary import DEFAULT, extended

OPTIONAL = "from typing import Optional\n"


def spelled(text: str) -> str | None:
    return ModuleInfo.parse(Source("tiny.py", "tiny", text)).optional


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("x = 1\n", None),
        ("x: int | None = 1\n", ""),
        (f"{OPTIONAL}x: Optional[int] = 1\n", "Optional"),
        (OPTIONAL, None),
        (f"{OPTIONAL}x: Optional[int] = 1\ny: int | None = 1\n", ""),
        (f"{OPTIONAL}x: Optional[int] = 1\ny: Optional[int] = 2\nz: int | None = 1\n", "Optional"),
        (f"{OPTIONAL}x: Optional[int] = 1\ny: int | None = 2\nz: int | None = 1\n", ""),
        (f"{OPTIONAL}x: int | None = 1\n", ""),
        ("from typing import Optional as Maybe\nx: Maybe[int] = 1\n", "Maybe"),
        ("import typing\nx: typing.Optional[int] = 1\n", "typing.Optional"),
        ("import typing\nx: int | None = 1\ny: typing.Optional[int] = 1\n", ""),
        ("import typing\nx = 1\n", None),
    ],
)
def test_types_are_spelled_as_the_file_does_more_often(text: str, wanted: str | None) -> None:
    assert spelled(text) == wanted


SPLIT = "for a, b in zip(x.split(sizes.tolist()), y):\n"


@pytest.mark.parametrize(
    ("text", "matters"),
    [
        ("x = 1\n", False),
        ("def f(grid_thw): ...\n", True),
        ("def f(cu_seqlens): ...\n", True),
        ("def f(feature_lens): ...\n", True),
        ("def f(other_lens): ...\n", False),
        ("outer(x, self.inv_freq)\n", True),
        ("outer(x, self.other)\n", False),
        ("f(x, self.inv_freq)\n", False),
        (f"sizes = c[1:] - c[:-1]\n{SPLIT}", True),
        (f"sizes = c[1:]-c[:-1]\n{SPLIT}", True),
        (f"sizes = torch.diff(c)\n{SPLIT}", True),
        (SPLIT, False),
        ("sizes = c.diff()\nx.split(sizes.tolist())\n", True),
        ("sizes = c.diff()\nzip(x.split(sizes), y)\n", False),
        ("sizes = c.diff()\nzip(sizes.tolist(), y)\n", False),
        ("sizes = c.diff()\nx.split(sizes)\n", False),
        ("sizes = c.diff()\n", False),
    ],
)
def test_a_file_matters_for_what_stands_in_it(text: str, matters: bool) -> None:
    assert DEFAULT.may_matter(text) == matters


def test_names_of_a_project_matter_in_its_files() -> None:
    own = extended({"grids": ["patches_thw"], "lengths": ["sound_lens"]})
    for text in ("def f(patches_thw): ...\n", "def f(sound_lens): ...\n"):
        assert own.may_matter(text) and not DEFAULT.may_matter(text)
