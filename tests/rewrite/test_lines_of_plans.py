"""What is written for the placeholders of a loop: where lines are broken, and what becomes of iterators and queues."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from textwrap import indent
from typing import Any

import pytest

from codegen.rewrite.emit.edits import Edit, Replace, Substitute
from codegen.rewrite.modules import ModuleInfo
from codegen.rewrite.tokens import plans
from codegen.rewrite.tokens.names import Needs, Unmovable
from codegen.rewrite.tokens.sites import Site
from codegen.rewrite.tokens.wording import MAX_LINE
from codegen.rewrite.values import Source

LOOP = (
    'for i in range(len(text)):\n    text[i] = text[i].replace(self.token, "x" * next(sizes), 1)\n'
)


def site_of(lines: str, loop: str = LOOP, behind: str = "") -> tuple[ModuleInfo, Site]:
    """A method with some lines in front of its loop and behind it, and its site."""
    body = f"{lines}\n{loop}{behind}"
    info = ModuleInfo.parse(
        Source("tiny.py", "tiny", f"def f(self, text):\n{indent(body, '    ')}")
    )
    function = info.functions["f"]
    found = next(n for n in function.body if isinstance(n, ast.For) and "replace" in ast.unparse(n))
    changed = found.body[0]
    assert isinstance(changed, ast.Assign) and isinstance(changed.value, ast.Call)
    token, value, *_ = changed.value.args
    return info, Site(function, function.body, (found,), token, "text", "text", (), value)


def sequence(lines: str, behind: str = "") -> tuple[str, list[str]]:
    """What stands for what an iterator gives, and what is replaced."""
    info, site = site_of(lines, behind=behind)
    edits: list[Edit] = []
    name = plans._sequence(info, site, "sizes", edits)
    told = []
    for edit in edits:
        if isinstance(edit, Replace):
            told += [f"- {ast.unparse(node)}" for node in edit.statements]
        else:
            assert isinstance(edit, Substitute)
            told.append(f"{ast.unparse(edit.node)} -> {edit.new}")
    return name, told


@pytest.mark.parametrize(
    ("lines", "name", "edits"),
    [
        ("sizes = iter(counts)", "counts", ["- sizes = iter(counts)"]),
        ("sizes = counts.copy()", "counts", ["- sizes = counts.copy()"]),
        ("sizes = iter(self.counts)", "sizes", ["iter(self.counts) -> self.counts"]),
        ("sizes = iter(counts[1:])", "sizes", ["iter(counts[1:]) -> counts[1:]"]),
        ("sizes = iter(zip(a, b))", "sizes", ["iter(zip(a, b)) -> list(zip(a, b))"]),
        ("sizes = iter(map(a, b))", "sizes", ["iter(map(a, b)) -> list(map(a, b))"]),
        ("sizes = iter(enumerate(a))", "sizes", ["iter(enumerate(a)) -> list(enumerate(a))"]),
        ("sizes = iter(sorted(a))", "sizes", ["iter(sorted(a)) -> sorted(a)"]),
        ("sizes = iter(x + 1 for x in a)", "sizes", ["iter((x + 1 for x in a)) -> [x + 1 for x in a]"]),
        ("sizes = self.counts.copy()", "sizes", []),
        ("sizes = counts.sort()", "sizes", []),
        ("sizes = counts.zip()", "sizes", []),
        ("sizes = list(counts)", "sizes", []),
        ("sizes = counts", "sizes", []),
        ("sizes = iter()", "sizes", []),
        (
            "if a:\n    sizes = iter(b)\nelse:\n    sizes = iter(c)",
            "sizes",
            ["iter(b) -> b", "iter(c) -> c"],
        ),
        ("sizes = [1]\nn = len(sizes)\nsizes = iter(counts)", "counts", ["- sizes = iter(counts)"]),
        ("n = 1\nsizes = iter(a)\nsizes = iter(b)", "b", ["- sizes = iter(b)"]),
        ("if a:\n    sizes = 1\n    print(sizes)\nsizes = iter(b)", "b", ["- sizes = iter(b)"]),
    ],
)  # fmt: skip
def test_what_gives_one_by_one_is_looked_up_instead(
    lines: str, name: str, edits: list[str]
) -> None:
    assert sequence(lines) == (name, edits)


@pytest.mark.parametrize(
    ("lines", "behind", "reason"),
    [
        ("sizes = iter(counts)\nprint(sizes)", "", "sizes is used elsewhere, too"),
        ("sizes = iter(counts)", "print(sizes)\n", "sizes is used elsewhere, too"),
        ("sizes = iter(counts)", "if text:\n    print(sizes)\n", "sizes is used elsewhere, too"),
        ("print(sizes)", "", "sizes is used elsewhere, too"),
        ("sizes, n = iter(counts), 1", "", "sizes is given its value in a way that is not followed"),
        ("for sizes in counts: pass", "", "sizes is given its value in a way that is not followed"),
        ("if a:\n    sizes = iter(b)\nelse:\n    sizes, n = c, 1", "", "sizes is given its value in a way"),
    ],
)  # fmt: skip
def test_what_gives_one_by_one_is_for_the_loop_alone(lines: str, behind: str, reason: str) -> None:
    with pytest.raises(Unmovable) as found:
        sequence(lines, behind)
    assert reason in str(found.value)


def width(made: list[str]) -> int:
    """The length of a line that stands alone, 0 where it is broken."""
    return len(made[0]) if len(made) == 1 else 0


@pytest.mark.parametrize(
    ("most", "write"),
    [
        (100, lambda n: plans._list_of("f" * n, "image", site_of("")[1], ["sizes"])),
        (100, lambda n: plans._list_of("f" * n, "image", replace(site_of("")[1], texts="t"), [])),
        (MAX_LINE - 16, lambda n: plans._given("image", Needs(entries={"a": "b" * n}))[1]),
        (MAX_LINE - 16, lambda n: plans._given("image", Needs([], {"a": "b" * n}, "outputs"))[1]),
        (
            MAX_LINE - 16,
            lambda n: plans._listed(
                replace(site_of("")[1], each=("size", f"[item for row in rows for item in {'b' * n}]")),
                "per_image",
            ),
        ),
    ],
)  # fmt: skip
def test_a_line_is_broken_where_it_would_be_too_long(
    most: int, write: Callable[[int], list[str]]
) -> None:
    widths = [width(write(number)) for number in range(1, most)]
    assert max(widths) == most
    first = widths.index(most) + 1
    assert all(widths[:first]) and not any(widths[first:])


def test_broken_lines_say_the_same() -> None:
    site = replace(site_of("")[1], each=("size", f"[item for row in rows for item in {'b' * 99}]"))
    for short, long in (
        (plans._list_of("f", "image", site, ["a"]), plans._list_of("f" * 99, "image", site, ["a"])),
        (
            plans._given("image", Needs([], {"a": "b"}, "outputs"))[1],
            plans._given("image", Needs([], {"a": "b" * 99}, "outputs"))[1],
        ),
        (
            plans._listed(replace(site, each=("size", site.each[1].replace("b" * 99, "b"))), "per"),
            plans._listed(site, "per"),
        ),
    ):
        assert (len(short), len(long) > 1) == (1, True)
        same = [ast.unparse(ast.parse("\n".join(lines))) for lines in (short, long)]
        assert same[0] == same[1].replace("b" * 99, "b").replace("f" * 99, "f")


@pytest.mark.parametrize(
    ("needs", "given", "lines"),
    [
        (Needs(), "{}", []),
        (Needs(source="outputs"), "outputs", []),
        (Needs(entries={"a": "b"}), "image_replacement_inputs", ['image_replacement_inputs = {"a": b}']),
        (
            Needs(entries={"a": "b", "c": "d"}, source="outputs"),
            "image_replacement_inputs",
            ['image_replacement_inputs = {**outputs, "a": b, "c": d}'],
        ),
    ],
)  # fmt: skip
def test_a_method_gets_what_it_needs(needs: Needs, given: str, lines: list[str]) -> None:
    assert plans._given("image", needs) == (given, lines)


def test_a_placeholder_without_items_is_counted() -> None:
    _, site = site_of("")
    assert plans._list_of("made", "image", site, []) == [
        "images_replacements = [made] * sum(sample.count(self.token) for sample in text)"
    ]
    assert plans._list_of("f" * 99, "image", site, []) == [
        "num_placeholders = sum(sample.count(self.token) for sample in text)",
        f"images_replacements = [{'f' * 99}] * num_placeholders",
    ]
    assert plans._listed(site, "per_image") == []


@pytest.mark.parametrize(
    ("item", "value", "counter", "names"),
    [
        (("size = sizes[i]",), "'x' * size", "i", ["sizes"]),
        (("size = sizes[i] + counts[i]", "more = sizes[i]"), "kinds[i]", "i", ["sizes", "counts", "kinds"]),
        (("size = sizes[ii]",), "self.sizes[i]", "i", []),
        (("size = sizes[i][0]",), "rows[0]", "i", ["sizes"]),
    ],
)  # fmt: skip
def test_what_a_counter_looks_up(
    item: tuple[str, ...], value: str, counter: str, names: list[str]
) -> None:
    _, site = site_of("")
    statements: Any = tuple(ast.parse(line).body[0] for line in item)
    parsed = ast.parse(value, mode="eval").body
    site = replace(site, item=statements, value=parsed, counter=counter)
    assert plans._indexed(site) == names


def returned(value: str, written: str = "") -> list[str]:
    loop = LOOP.replace('"x" * next(sizes)', value)
    info, site = site_of("", loop)
    words = plans._Words("inputs", "index")
    return plans._returned(info, replace(site, written=written), ast.unparse(site.value), words)


def test_a_long_value_is_returned_over_the_lines_of_its_author() -> None:
    longest = "a" * (MAX_LINE - 15)
    assert returned(longest) == [f"return {longest}"]
    assert returned(f"{longest}b") == ["return (", f"    {longest}b", ")"]
    assert returned(f"{longest}b", written="x") == [f"return {longest}b"]
    broken = f"(\n        {longest}\n        + b\n    )"
    lines = returned(broken)
    assert (lines[0], lines[-1]) == ("return (", ")")
    assert ast.unparse(ast.parse("\n".join(lines))) == f"return {longest} + b"
