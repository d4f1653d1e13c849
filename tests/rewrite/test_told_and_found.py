"""What a record says and leaves open, and which files, helpers and placeholders are found."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite import Settings, rewrite_library
from codegen.rewrite.library import _why_unreadable
from codegen.rewrite.modules import ClassInfo, ModuleInfo, absolute
from codegen.rewrite.settle import Settled
from codegen.rewrite.state import RewriteState
from codegen.rewrite.tokens.expand_tokens import _unequal, processors
from codegen.rewrite.tokens.names import Unmovable
from codegen.rewrite.tokens.plans import token_of
from codegen.rewrite.tokens.sites import Site as TokenSite
from codegen.rewrite.values import Record, Source
from tests.rewrite.test_keep import run as run_keeping
from tests.rewrite.test_rules import GOLDEN, DictLibrary, read_case, run

TINY = "models/tiny/modeling_tiny.py"


def test_a_name_that_is_met_is_not_told_to_meet_nothing() -> None:
    result = run_keeping(keep=("TinyEncoder.nothing", "TinyEncoder.boundaries"))
    told = [r.reason for r in result.report if "no class or method is called" in r.reason]
    assert len(told) == 1 and "names TinyEncoder.nothing," in told[0]


def test_what_is_left_names_no_helper_and_no_way() -> None:
    for case in sorted((GOLDEN / "lift").glob("*.txt")):
        for record in run(read_case(case).files, "lift").report:
            if record.kind == "left" and record.method == "_expand_inputs_for_generation":
                assert (record.helper, record.path_taken) == ("", ())


def test_definitions_of_a_library_are_not_read_as_those_of_a_project() -> None:
    (case,) = sorted((GOLDEN / "lift_in_project").glob("*.txt"))
    files = read_case(case).files
    passes = ("lift",)
    in_project = rewrite_library(DictLibrary(files), Settings(passes=passes, python_super=True))
    in_library = rewrite_library(DictLibrary(files), Settings(passes=passes))
    assert "super(" in "".join(in_library.edits.values())
    assert ", self)._expand" in "".join(in_project.edits.values())
    assert ", self)._expand" not in "".join(in_library.edits.values())


LOOPS = """
import torch
from torch import nn


class TinyEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.odd = config.oddness

    def forward(self, rows, grid_thw):
        found = []
        for {}:
            height = int(grid_thw[i, 1])
            found.append(torch.arange(height * self.odd))
        return rows[torch.cat(found)]
"""


@pytest.mark.parametrize(
    ("loop", "is_told"),
    [
        ("i in range(3)", True),
        ("i, _ in enumerate(grid_thw)", True),
        ("i in a0(3)", False),
        ("i in zz(3)", False),
        ("i in rows", False),
    ],
)
def test_a_loop_over_sizes_is_told_with_the_field_that_nothing_is_known_of(
    loop: str, is_told: bool
) -> None:
    report = run({TINY: LOOPS.format(loop)}, "extract").report
    told = [r.reason for r in report if "a loop over sizes with index arithmetic" in r.reason]
    assert bool(told) == is_told
    assert all("config.oddness in no vocabulary" in reason for reason in told)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SyntaxError("bad"), (0, "bad")),
        (SyntaxError("bad", ("x.py", 3, 1, "")), (3, "bad")),
        (RecursionError("deep"), (0, "it is nested too deeply")),
        (MemoryError(), (0, "it is nested too deeply")),
        (ValueError("null bytes"), (0, "null bytes")),
    ],
)
def test_why_a_file_cannot_be_read_is_told_in_words(
    error: Exception, told: tuple[int, str]
) -> None:
    assert _why_unreadable(error) == told


PROCESSOR = (
    "class TinyProcessor(ProcessorMixin):\n    x = text.replace(image_token, 'placeholder')\n"
)


def test_processors_are_looked_for_in_definitions_and_in_files_beside_none() -> None:
    texts = {
        "models/a/modular_a.py": PROCESSOR,
        "models/a/processing_a.py": PROCESSOR,
        "models/b/modular_b.py": "",
        "models/b/processing_b.py": PROCESSOR,
        "models/c/modular_c.py": "",
        "models/c/processing_c.py": f"# This file was generated from modular_c.py\n{PROCESSOR}",
        "models/d/modular_d.py": "",
        "models/d/processing_d.py": "class TinyProcessor(ProcessorMixin): pass\n",
        "models/e/modeling_e.py": PROCESSOR,
    }

    class Definitions(DictLibrary):
        """A library whose generated files are read, but not listed."""

        def modules(self) -> dict[str, str]:
            return {m: p for m, p in super().modules().items() if ".processing_" not in m}

    state = RewriteState(Definitions(texts), Settings())
    found = [info.source.path for info in processors(state)]
    assert found == ["models/a/modular_a.py", "models/b/processing_b.py"]


def test_a_relative_import_is_told_from_the_package_of_its_file() -> None:
    found = [absolute("a.b.c", level, name) for level in range(3) for name in ("x.y", "")]
    assert found == ["x.y", "", "a.b.x.y", "a.b", "a.x.y", "a"]


CALLER = """
class TinyProcessor:
    def __call__(self, text):
        mark = self.video_token
        text = self.expanded(text, {}, {})
        return text

    def expanded(self, text, token, other):
        known = token
        return [one.replace({}, self.unit) for one in text]
"""


@pytest.mark.parametrize(
    ("first", "second", "name", "token"),
    [
        ("self.image_token", "1", "token", "self.image_token"),
        ("self.image_token", "1", "known", "self.image_token"),
        ("1", "other=self.image_token", "other", "self.image_token"),
        ("1", "self.image_token", "other", "self.image_token"),
        ("1", "1", "self.token", "self.token"),
        ("mark", "1", "token", ""),
        ("1", "1", "unknown", ""),
        ("self.image_token, self.expanded(1, 2, 3)", "1", "token", ""),
    ],
)
def test_a_placeholder_is_what_the_only_call_of_a_method_gives(
    first: str, second: str, name: str, token: str
) -> None:
    text = CALLER.format(first, second, name)
    info = ModuleInfo.parse(Source("tiny.py", "tiny", text))
    cls = ClassInfo(info, info.classes["TinyProcessor"])
    function = cls.methods["expanded"]
    made = function.body[-1]
    assert isinstance(made, ast.Return) and isinstance(made.value, ast.ListComp)
    call = made.value.elt
    assert isinstance(call, ast.Call)
    site = TokenSite(function, function.body, (made,), call.args[0], "text", "text", (), call)
    if token:
        assert token_of(cls, site) == token
    else:
        with pytest.raises(Unmovable, match="its callers decide"):
            token_of(cls, site)


def record(kind: str, reason: str) -> Record:
    return Record("tiny", "TinyProcessor", "__call__", kind, "tiny.py:1", reason=reason)


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([], "nothing was written"),
        ([("left", "it stays")], "nothing was written"),
        ([("failed", "it does not parse")], "it does not parse"),
        ([("left", "it stays"), ("failed", "it does not parse"), ("failed", "more")], "it does not parse"),
        (
            [("failed", "it uses size, which nothing defines")],
            "what a placeholder becomes is computed with size, which belongs to the loop",
        ),
    ],
)  # fmt: skip
def test_why_nothing_came_of_an_attempt(records: list[tuple[str, str]], reason: str) -> None:
    state = RewriteState(DictLibrary({}), Settings())
    info = ModuleInfo.parse(Source("tiny.py", "tiny", CALLER))
    other = ModuleInfo.parse(Source("other.py", "other", CALLER))
    cls = ClassInfo(info, info.classes["TinyProcessor"])
    told = tuple(record(*each) for each in records)
    for modules in ((), (other,)):
        assert _unequal(state, cls, [], Settled(modules, told), set()) == reason
    if told and told[0].kind == "failed":
        assert _unequal(state, cls, [], Settled((info,), told), set()) == reason


def test_helpers_are_found_behind_a_file_that_cannot_be_read() -> None:
    files = {
        "models/a/modeling_a.py": "from ...modeling_vision_utils import get_vision_cu_seqlens\n(\n",
        "models/b/modeling_b.py": "from ...modeling_vision_utils import get_rotary_pos_ids\n",
    }
    assert RewriteState(DictLibrary(files), Settings()).needed_helpers() == {"get_rotary_pos_ids"}
