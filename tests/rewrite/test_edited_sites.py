"""What is seen in the loops of processors after one small edit each: see :mod:`tests.rewrite.small_edits`.

``golden/edited_sites.txt`` says of each edit whether nothing is seen (``-``), the same (``=``), or what is another
thing, with a digest of it; behind a comma the same for where loops stay that can.
"""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.tokens.sites import find_sites
from codegen.rewrite.values import Source
from tests.rewrite.small_edits import GOLDEN, digest, hold
from tests.rewrite.test_rules import CASES, read_case
from tests.rewrite.test_site_forms import FORMS, method_of, told

TABLE = GOLDEN / "edited_sites.txt"
BELOW, MOST = "codegen/rewrite/tokens/", 16


def _bodies() -> dict[str, str]:
    """The forms, and the methods of golden cases in which something is seen."""
    found = {form: body.strip() + "\n" for form, (body, _, _) in FORMS.items()}
    for path in CASES:
        if path.parent.name != "expand_tokens":
            continue
        text = next(iter(read_case(path).files.values()))
        info = ModuleInfo.parse(Source("tiny.py", "tiny", text))
        for method in ast.walk(info.tree):
            if isinstance(method, ast.FunctionDef) and [*find_sites(info, method)]:
                lines = text.split("\n")[method.body[0].lineno - 1 : method.end_lineno]
                found[f"{path.stem}, {method.name}"] = dedent("\n".join(lines)) + "\n"
    return found


PIECES = _bodies()


def _seen(body: str) -> list[list[dict[str, str]]]:
    """What is seen, and what where loops stay that can."""
    info, method = method_of(body)
    return [[*map(told, find_sites(info, method, stay))] for stay in (False, True)]


USUAL = {name: _seen(body) for name, body in PIECES.items()}


def outcome(name: str, body: str) -> str:
    """What is seen otherwise than in the piece of a name."""
    return ",".join(map(_word, _seen(body), USUAL[name]))


def _word(found: list[dict[str, str]], usual: list[dict[str, str]]) -> str:
    if not found:
        return "-"
    if found == usual:
        return "="
    if len(found) != len(usual):
        return f"{len(found)}:{digest(str(found))}"
    pairs = [*zip(found, usual)]
    changed = {n for one, other in pairs for n in one.keys() | other if one.get(n) != other.get(n)}
    return f"{'+'.join(sorted(changed))}:{digest(str(found))}"


@pytest.mark.parametrize("name", PIECES)
def test_an_edited_loop_is_seen_as_recorded(name: str, request: pytest.FixtureRequest) -> None:
    hold(TABLE, PIECES, name, outcome, request.config.getoption("--update-golden"))
