"""Where an import of a helper goes in the head of a file, and which imports go."""

from __future__ import annotations

import pytest

from codegen.rewrite.emit.imports import _gap, _level, idle_splices, import_splices, without_import
from codegen.rewrite.emit.splices import spliced
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.values import Source

ONE, OTHER = "get_vision_cu_seqlens", "check_boundaries"
FROM_ONE, FROM_OTHER = (
    f"from pack.modeling_vision_utils import {ONE}",
    f"from pack.precomputed_inputs import {OTHER}",
)


def info_of(text: str) -> ModuleInfo:
    return ModuleInfo.parse(Source("a.py", "a.b.c", text))


def imported(text: str, *names: str) -> str:
    info = info_of(text)
    return spliced(text, import_splices(info, names, "pack"))


@pytest.mark.parametrize(
    ("before", "names", "after"),
    [
        ("x = 1\n", (ONE,), f"\n{FROM_ONE}\nx = 1\n"),
        ('"""Words."""\nx = 1\n', (ONE,), f'"""Words."""\n\n{FROM_ONE}\nx = 1\n'),
        ("import os\nx = 1\n", (ONE,), f"import os\n\n{FROM_ONE}\nx = 1\n"),
        ("from os import a\nx = 1\n", (ONE,), f"from os import a\n{FROM_ONE}\nx = 1\n"),
        ("from zip import a\nx = 1\n", (ONE,), f"{FROM_ONE}\nfrom zip import a\nx = 1\n"),
        (
            "from os import a\nfrom zip import b\n",
            (ONE,),
            f"from os import a\n{FROM_ONE}\nfrom zip import b\n",
        ),
        ("from .os import a\nx = 1\n", (ONE,), f"from .os import a\n\n{FROM_ONE}\nx = 1\n"),
        (f"{FROM_ONE}\nx = 1\n", (ONE,), f"{FROM_ONE}\nx = 1\n"),
        ("from os import a\n", (ONE, OTHER), f"from os import a\n{FROM_ONE}\n{FROM_OTHER}\n"),
        (
            f"{FROM_ONE}\n",
            (ONE, "get_rotary_pos_ids"),
            f"{FROM_ONE.replace(ONE, 'get_rotary_pos_ids, ' + ONE)}\n",
        ),
        (
            f"{FROM_ONE}  # why\n",
            ("get_rotary_pos_ids",),
            f"{FROM_ONE.replace(ONE, 'get_rotary_pos_ids, ' + ONE)}  # why\n",
        ),
        ("x = 1\n", ("torch",), "import torch\nx = 1\n"),
        (
            "import os\nimport sys\nfrom a import b\n",
            ("torch",),
            "import os\nimport sys\nimport torch\nfrom a import b\n",
        ),
        (
            "from __future__ import annotations\nfrom a import b\n",
            ("torch",),
            "from __future__ import annotations\nimport torch\nfrom a import b\n",
        ),
        (
            "from a import b\nfrom c import d\n",
            ("torch",),
            "import torch\nfrom a import b\nfrom c import d\n",
        ),
        ("from a import b\n", ("Optional",), "from a import b\nfrom typing import Optional\n"),
        ("from typing import Any\n", ("Optional",), "from typing import Any, Optional\n"),
    ],
)
def test_new_names_stand_in_order(before: str, names: tuple[str, ...], after: str) -> None:
    assert imported(before, *names) == after


def test_names_that_fill_a_line_stand_one_below_the_other() -> None:
    long = [f"name_{number}_{'x' * 40}" for number in range(3)]
    text = f"from pack.modeling_vision_utils import (\n    {long[0]},\n    {long[1]},\n)\n"
    after = imported(text, ONE)
    assert (
        after
        == f"from pack.modeling_vision_utils import (\n    {ONE},\n    {long[0]},\n    {long[1]},\n)\n"
    )


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [
        ("import os\nx = os.a\n", "import os\nx = 1\n", True),
        ("import os\nx = os.a\n", "import os\nx = os.a\n", False),
        ("import os as system\nx = system.a\n", "import os as system\nx = 1\n", True),
        ("import os\n", "import os\n", False),
        ("import os, sys\nx = os.a + sys.a\n", "import os, sys\nx = 1\n", False),
        ("import os  # why\nx = os.a\n", "import os  # why\nx = 1\n", False),
        ("from os import a\nx = a\n", "from os import a\nx = 1\n", False),
        ("import os\nx = os.a\n", "import os\nx = 'os'\n", False),
    ],
)
def test_modules_of_no_more_use_go(before: str, after: str, gone: bool) -> None:
    assert bool(idle_splices(info_of(before), after)) == gone


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from a import b\nx = 1\n", "x = 1\n"),
        ("from a import b, c\nx = 1\n", "from a import c\nx = 1\n"),
        ("from .a import b, c\nx = 1\n", "from .a import c\nx = 1\n"),
        ("from a import c\nx = 1\n", "from a import c\nx = 1\n"),
        ("import b\nx = 1\n", "import b\nx = 1\n"),
        ("y = 2\n\n\nfrom a import b\n\n\nx = 1\n", "y = 2\n\n\nx = 1\n"),
        ("y = 2\n\nfrom a import b\n\n\nx = 1\n", "y = 2\n\n\nx = 1\n"),
        ("y = 2\nfrom a import b\nx = 1\n", "y = 2\nx = 1\n"),
    ],
)
def test_a_name_of_no_more_use_goes(before: str, after: str) -> None:
    assert without_import(info_of(before), "b") == after


def test_blank_lines_and_levels() -> None:
    text = "a\n\n\nb\n\n\n\nc\n"
    assert [_gap(text, text.index("b"), text.index("b") + 2), _gap("a\nb\n\nc\n", 2, 4)] == [2, 0]
    assert [_level(spelling) for spelling in ("a.b", ".a.b", "...a", "..")] == [0, 1, 3, 2]
