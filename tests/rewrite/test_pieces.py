"""Parts of the forms of attention over segments, each by itself: what is taken for one, and what is not."""

from __future__ import annotations

import ast

import pytest

from codegen.rewrite.capture import mask, parts, pieces
from codegen.rewrite.capture.pieces import Refused, Split


def expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def function(body: str) -> ast.FunctionDef:
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    made = ast.parse(f"def forward(self, q, k, v, c):\n{lines}").body[0]
    assert isinstance(made, ast.FunctionDef)
    return made


DIFFERENCES = {
    "c[1:] - c[:-1]": "c",
    "(c[1:] - c[:-1]).tolist()": "c",
    "torch.diff(c)": "c",
    "torch.diff(c).tolist()": "c",
    "c.diff()": "c",
    "c.diff().tolist()": "c",
    "c[:-1] - c[1:]": "",
    "c[1:] + c[:-1]": "",
    "c[1:] - d[:-1]": "",
    "c[2:] - c[:-2]": "",
    "self.c[1:] - self.c[:-1]": "",
    "torch.diff(c, 2)": "",
    "torch.diff(c, n=2)": "",
    "torch.diff()": "",
    "torch.sub(c)": "",
    "torch.cumsum(c)": "",
    "torch.unique(c)": "",
    "c.diff(2)": "",
    "c.diff(dim=0)": "",
    "c.cumsum()": "",
    "diff(c)": "",
    "c": "",
}


@pytest.mark.parametrize("text", DIFFERENCES)
def test_differences_of_boundaries(text: str) -> None:
    assert pieces.difference(expression(text)) == DIFFERENCES[text]


#: By text: state, sizes, axis.
SPLITS = {
    "q.split(sizes)": ("q", "sizes", ""),
    "q.split(sizes, 1)": ("q", "sizes", "1"),
    "q.split(sizes, dim=1)": ("q", "sizes", "1"),
    "q.split(split_size=sizes, dim=2)": ("q", "sizes", "2"),
    "q.split_with_sizes(sizes, 1)": ("q", "sizes", "1"),
    "torch.split(q, sizes)": ("q", "sizes", ""),
    "torch.split(q, sizes, 2)": ("q", "sizes", "2"),
    "torch.split(q, sizes, dim=2)": ("q", "sizes", "2"),
    "torch.split(q, split_size_or_sections=sizes)": ("q", "sizes", ""),
    "torch.split(tensor=q, split_size_or_sections=sizes, dim=1)": ("q", "sizes", "1"),
    "torch.split(input=q, split_size=sizes)": ("q", "sizes", ""),
    "torch.split()": None,
    "torch.split(q)": None,
    "q.split()": None,
    "q.chunk(sizes)": None,
    "split(q, sizes)": None,
    "q": None,
}


def shown(split: Split | None) -> tuple[str, str, str] | None:
    if split is None:
        return None
    axis = ast.unparse(split.axis) if split.axis is not None else ""
    return ast.unparse(split.state), ast.unparse(split.sizes), axis


@pytest.mark.parametrize("text", SPLITS)
def test_splits(text: str) -> None:
    assert shown(pieces._split(expression(text))) == SPLITS[text]
    found = [shown(split) for split in pieces.splits_in(ast.parse(f"x = [{text}]"))]
    assert found == ([SPLITS[text]] if SPLITS[text] else [])


RESOLVED = {
    "a = c": "c",
    "a = b\nb = d\nd = c": "c",
    "a = 1\na = 2": "a",
    "for a in c:\n    pass": "a",
    "a = c\nfor a in c:\n    pass": "a",
    "a, b = c": "a",
    "pass": "a",
    "a += c": "a",
}


@pytest.mark.parametrize("body", RESOLVED)
def test_names_that_are_assigned_once_stand_for_what_they_were_given(body: str) -> None:
    found = pieces.resolved(function(body), expression("a"))
    assert ast.unparse(found) == RESOLVED[body]


#: What the loop goes through, and the states that are split then, with the statements of the form.
GROUPS = {
    ("", "(q.split(s), k.split(s))"): (["q", "k"], 0),
    ("", "[t.split(s) for t in (q, k, v)]"): (["q", "k", "v"], 0),
    ("", "list(t.split(s) for t in [q, k])"): (["q", "k"], 0),
    ("", "tuple([q.split(s)])"): (["q"], 0),
    ("pieces = [t.split(s) for t in (q, k)]", "pieces"): (["q", "k"], 1),
    ("states = (q, k)\npieces = [t.split(s) for t in states]", "pieces"): (["q", "k"], 2),
    ("a, b = q.split(s), k.split(s)", "(a, b)"): (["q", "k"], 1),
    ("a = q.split(s)", "[a, k.split(s)]"): (["q", "k"], 1),
    ("pieces = [t.split(s) for t in (q, k)]", "[pieces[1], pieces[0]]"): (["k", "q"], 1),
    ("pieces = [t.split(s) for t in (q, k)]", "[pieces[-1], pieces[-2]]"): (["k", "q"], 1),
}


@pytest.mark.parametrize("body, text", GROUPS)
def test_groups_of_splits(body: str, text: str) -> None:
    own: list[ast.stmt] = []
    block = ast.parse(body).body
    found = pieces.group_of(block, expression(text), own)
    states, statements = GROUPS[body, text]
    assert [ast.unparse(split.state) for split in found] == states
    assert len(own) == statements and all(statement in block for statement in own)


NO_GROUPS = {
    ("", "[t.split(s) for t in (q, k) if t]"): "no split of several states",
    ("", "[u.split(s) for t in (q, k)]"): "no split of several states",
    ("", "[t.split(s) for t in states]"): "no split of several states",
    ("", "[t.split(s) for t, u in (q, k)]"): "no split of several states",
    ("", "[t.split(s) for t in (q, k) for u in (q, k)]"): "no split of several states",
    ("", "[t.chunk(s) for t in (q, k)]"): "no split of several states",
    ("", "sorted(t.split(s) for t in (q, k))"): "no split of several states",
    ("", "list()"): "no split of several states",
    ("", "pieces"): "no split of several states",
    ("pieces = 1\npieces = [t.split(s) for t in (q, k)]", "pieces"): "no split of several states",
    ("", "[q, k]"): "q is no split of a state",
    ("a = q.chunk(s)", "[a]"): "q.chunk(s) is no split of a state",
    ("pieces = [t.split(s) for t in (q, k)]", "[pieces[2]]"): "pieces[2] is no split",
    ("pieces = [t.split(s) for t in (q, k)]", "[pieces[-3]]"): "pieces[-3] is no split",
    ("pieces = [t.split(s) for t in (q, k)]", "[pieces[i]]"): "pieces[i] is no split",
    ("a, b = q.split(s), k.split(s), v.split(s)", "[a]"): "a is no split",
}


@pytest.mark.parametrize("body, text", NO_GROUPS)
def test_what_is_no_group_of_splits(body: str, text: str) -> None:
    with pytest.raises(Refused) as caught:
        pieces.group_of(ast.parse(body).body, expression(text), [])
    assert NO_GROUPS[body, text] in caught.value.left.reason


def test_all_states_are_split_by_the_same_boundaries() -> None:
    whole = function("sizes = c[1:] - c[:-1]\nother = d.diff()\nlist_ = sizes.tolist()")
    own: list[ast.stmt] = []

    def split(sizes: str) -> Split:
        node = expression(f"q.split({sizes})")
        found = pieces._split(node)
        assert found is not None
        return found

    same = [split("sizes.tolist()"), split("list_"), split("sizes")]
    assert pieces.boundaries_of(whole, whole.body, same, own) == "c"
    assert [statement in own for statement in whole.body] == [True, False, True]
    with pytest.raises(Refused, match="split by different boundaries"):
        pieces.boundaries_of(whole, whole.body, [split("sizes"), split("other")], own)
    with pytest.raises(Refused, match="lengths are not seen to be the differences"):
        pieces.boundaries_of(whole, whole.body, [split("sizes"), split("lengths")], own)


INTEGERS = {"3": 3, "-1": -1, "'a'": None, "x": None, "1.5": None, "1 + 1": None}


@pytest.mark.parametrize("text", INTEGERS)
def test_literals(text: str) -> None:
    assert pieces.integer(expression(text)) == INTEGERS[text]


APPENDED = {
    "a.append(x)": ("a", "x"),
    "a += [x]": ("a", "x"),
    "a += (x,)": ("a", "x"),
    "self.a.append(x)": ("self.a", "x"),
    "a += [x, y]": None,
    "a += x": None,
    "a -= [x]": None,
    "a.extend(x)": None,
    "a.append(x, y)": None,
    "a.append()": None,
    "append(x)": None,
    "a = [x]": None,
}


@pytest.mark.parametrize("text", APPENDED)
def test_what_a_statement_collects(text: str) -> None:
    found = parts.appended(ast.parse(text).body[0])
    shown_ = None if found is None else (found[0], ast.unparse(found[1]))
    assert shown_ == APPENDED[text]


STARTS = {
    "a = []": True,
    "a, b = [], []": True,
    "b = []": False,
    "a = [1]": False,
    "a, b = [], [1]": False,
    "a = list()": False,
    "a += []": False,
}


@pytest.mark.parametrize("text", STARTS)
def test_what_makes_a_list_empty(text: str) -> None:
    assert parts.starts_list(ast.parse(text).body[0], {"a"}) == STARTS[text]


LISTS = {
    "a = []\nfor x in q:\n    a.append(x)\nreturn torch.cat(a)": "",
    "a = []\nfor x in q:\n    a.append(x)\nreturn torch.cat(a, 0)": "",
    "a = []\nfor x in q:\n    a.append(x)\nreturn torch.cat(a, dim=0)": "",
    "a = []\nfor x in q:\n    a.append(x)\nreturn torch.cat(a, dim=1)": "joined along dim=1",
    "a = []\nfor x in q:\n    a.append(x)\nreturn torch.cat(a, -1)": "joined along dim=-1",
    "a = []\nfor x in q:\n    a.append(x)\nreturn torch.cat(a, axis=d)": "joined along dim=None",
    "a = []\nfor x in q:\n    a.append(x)\nreturn torch.stack(a)": "used otherwise than joined",
    "a = []\nfor x in q:\n    a.append(x)\nreturn a": "used otherwise than joined",
    "a = []\nfor x in q:\n    a.append(x)\nprint(a)\nreturn torch.cat(a)": "used otherwise",
    "a = [q]\nfor x in q:\n    a.append(x)\nreturn torch.cat(a)": "not seen to be empty",
    "a = []\na = []\nfor x in q:\n    a.append(x)\nreturn torch.cat(a)": "not seen to be empty",
    "for x in q:\n    a.append(x)\na = []\nreturn torch.cat(a)": "not seen to be empty",
}


@pytest.mark.parametrize("body", LISTS)
def test_lists_that_are_only_collected_and_joined(body: str) -> None:
    whole = function(body)
    loop = next(s for s in whole.body if isinstance(s, ast.For))
    problem = parts.list_problem(whole, whole.body, loop, "a")
    assert LISTS[body] in problem and bool(problem) == bool(LISTS[body])


FULL = "m = torch.full([1, 1, n, n], torch.finfo(x.dtype).min, device=x.device, dtype=x.dtype)"
MASKS = {
    FULL: ("n", "x"),
    FULL.replace("[1, 1, n, n]", "(1, 1, q.shape[1], q.shape[1])"): ("q.shape[1]", "x"),
    FULL.replace("[1, 1, n, n]", "[1, n, n]"): None,
    FULL.replace("[1, 1, n, n]", "[1, 2, n, n]"): None,
    FULL.replace("[1, 1, n, n]", "[1, 1, n, k]"): None,
    FULL.replace("[1, 1, n, n]", "shape"): None,
    FULL.replace(".min", ".max"): None,
    FULL.replace("torch.finfo(x.dtype).min", "-1e9"): None,
    FULL.replace("torch.finfo(x.dtype).min", "torch.finfo(y.dtype).min"): None,
    FULL.replace(", dtype=x.dtype", ""): None,
    FULL.replace("torch.full", "torch.zeros"): None,
    FULL.replace("torch.full", "full"): None,
    FULL.replace("m =", "k ="): None,
    "m = torch.full([1, 1, n, n])": None,
    "m = x": None,
    "m += x": None,
}


@pytest.mark.parametrize("text", MASKS)
def test_masks_that_begin_with_the_lowest_value(text: str) -> None:
    assert mask._mask_size(ast.parse(text).body[0], "m") == MASKS[text]


FILL = "for i in range(1, len(c)):\n    m[..., c[i - 1]:c[i], c[i - 1]:c[i]] = 0"
FILLED = {
    FILL: ("c", "m"),
    FILL + "\n    print(i)": ("", ""),
    FILL + "\nelse:\n    pass": ("", ""),
    FILL.replace("= 0", "= 1"): ("", ""),
    FILL.replace("= 0", "-= 0"): ("", ""),
    FILL.replace("range(1, len(c))", "range(len(c))"): ("", ""),
    FILL.replace("range(1, len(c))", "range(1, len(d))"): ("", ""),
    FILL.replace("c[i - 1]:c[i]]", "c[i]:c[i - 1]]"): ("", ""),
    FILL.replace("c[i - 1]:c[i]]", "d[i - 1]:d[i]]"): ("", ""),
    FILL.replace("..., ", ""): ("", ""),
    FILL.replace("m[", "self.m["): ("", ""),
    "for i in range(1, len(c)):\n    m = 0": ("", ""),
}


@pytest.mark.parametrize("text", FILLED)
def test_loops_that_zero_diagonal_blocks(text: str) -> None:
    loop = ast.parse(text).body[0]
    assert isinstance(loop, ast.For)
    assert mask._filled(loop) == FILLED[text]
