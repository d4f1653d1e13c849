"""Positions of libcst's nodes as we compute them, beside those that libcst gives."""

from __future__ import annotations

from pathlib import Path

import libcst as cst
import pytest
from libcst.metadata import MetadataWrapper, PositionProvider

from codegen.rewrite.emit.positions import places_of

LAYOUTS = {
    "brackets": "x = (\n    (a, # first\n     b),\n) ; y = [c for c in (d)]\n",
    "strings": 'x = """a\n  b\n"""\ny = f"{x!r:>{3}}" \'c\'\n',
    "line ends": "if a:\r\n    b()\r\nelse :\r\n\tc()\r\n",
    "continued": "x = a + \\\n    b\n\n\n# end\n",
    "no line end": "class A: pass",
    "decorated": "@a\n\n# why\n@b(1)\nasync def f(x, /, *y, z: int = 1, **k) -> None: ...\n",
    "statements": "try:\n  with a as b, c: del d\nexcept* E as e: raise e from None\nfinally:\n  match x:\n    case {1: [*_]} if y: return\n",
    "wide": "ä = 'é\u2028' + ü\f\nb = ä\n",
}
HERE = Path(__file__)


@pytest.mark.parametrize("name", LAYOUTS)
def test_as_libcst_has_them(name: str) -> None:
    assert_same(LAYOUTS[name])


@pytest.mark.parametrize("path", [HERE, HERE.with_name("edited.py"), HERE.with_name("asked.py")])
def test_as_libcst_has_them_in_a_file(path: Path) -> None:
    assert_same(path.read_text(encoding="utf-8"))


def assert_same(text: str) -> None:
    wrapper = MetadataWrapper(cst.parse_module(text))
    known = wrapper.resolve(PositionProvider)
    found = places_of(wrapper.module)
    assert len(found) > 5
    assert found == {
        id(node): ((at.start.line, at.start.column), (at.end.line, at.end.column))
        for node, at in known.items()
    }
