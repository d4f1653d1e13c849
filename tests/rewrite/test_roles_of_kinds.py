"""Which methods count positions of prompts with sounds or source images: by parameters, branches and how results are made."""

from __future__ import annotations

import ast
from textwrap import indent
from typing import Any

import numpy as np
import pytest

from codegen.rewrite.library import Index
from codegen.rewrite.probe.source_prompts import small_prompts
from codegen.rewrite.probe.values import Arr
from codegen.rewrite.recognise import branch, sounds, targets
from codegen.rewrite.recognise.effects import Objection
from tests.rewrite.test_rules import DictLibrary

INDEX = Index(DictLibrary({}), lambda _: True)
GRIDS = "image_grid_thw, video_grid_thw"


def function_of(head: str, lines: str = "pass") -> ast.FunctionDef:
    (found,) = ast.parse(f"def f(self, {head}):\n{indent(lines, '    ')}").body
    assert isinstance(found, ast.FunctionDef)
    return found


@pytest.mark.parametrize(
    ("head", "roles"),
    [
        ("input_ids, image_grid_thw, images_per_sample, attention_mask", "input_ids image_grid_thw images_per_sample attention_mask"),
        ("mask=None, grids_per_sample=None, grid_thw=None, input_ids=None", "input_ids grid_thw grids_per_sample mask"),
        ("input_ids, video_grid_thw, images_per_sample, attention_mask", ""),
        ("input_ids, image_grid_thw, sizes, attention_mask", ""),
        ("input_ids, image_grid_thw, images_per_sample", ""),
        ("input_ids, image_grid_thw, attention_mask", ""),
        ("input_ids, images_per_sample, attention_mask", ""),
        ("image_grid_thw, images_per_sample, attention_mask", ""),
        ("input_ids, image_grid_thw, images_per_sample, attention_mask, more", ""),
        (f"input_ids, {GRIDS}, images_per_sample, attention_mask", ""),
        ("input_ids, image_grid_thw, images_per_sample, attention_mask, token_mask", ""),
    ],
)  # fmt: skip
def test_a_method_for_source_images_is_told_four_things(head: str, roles: str) -> None:
    found = targets.source_roles(INDEX, function_of(head))
    told = "" if found is None else f"{found.ids} {found.grid} {found.sizes} {found.mask}"
    assert told == roles


ALL = f"input_ids, {GRIDS}, attention_mask, use_audio_in_video, audio_seqlens, second_per_grids"
SOUNDS = (
    "image_grid_thw video_grid_thw attention_mask use_audio_in_video audio_seqlens second_per_grids"
)


@pytest.mark.parametrize(
    ("head", "roles"),
    [
        (ALL, SOUNDS),
        (", ".join(reversed(ALL.split(", "))), SOUNDS),
        (ALL.replace("audio_seqlens", "audio_lengths"), SOUNDS.replace("audio_seqlens", "audio_lengths")),
        *((", ".join(n for n in ALL.split(", ") if n != left_out), "") for left_out in ALL.split(", ")),
        (f"{ALL}, more", ""),
        (f"{ALL}, audio_counts", ""),
        (f"{ALL}, other_mask", ""),
        (f"{ALL}, seconds", ""),
        (ALL.replace("use_audio_in_video", "use_sound"), ""),
        (ALL.replace("audio_seqlens", "lengths"), ""),
    ],
)  # fmt: skip
def test_a_method_for_sounds_is_told_seven_things(head: str, roles: str) -> None:
    found = sounds.sound_roles(INDEX, function_of(head))
    if found is None:
        assert roles == ""
        return
    assert found.ids == "input_ids"
    kinds = (found.images, found.videos, found.mask, found.with_sound, found.lengths, found.seconds)
    assert " ".join(kinds) == roles


@pytest.mark.parametrize(
    ("line", "is_ordered"),
    [
        ("x = steps * seconds * rate", True),
        ("x = steps * seconds[i] * rate", True),
        ("x = steps * seconds * rate + seconds", True),
        ("x = steps * rate", True),
        ("x = steps * rate * other * more", True),
        ("x = steps + seconds", True),
        ("x = seconds * steps * rate", False),
        ("x = steps * rate * seconds", False),
        ("x = seconds * steps * seconds", False),
        ("x = steps * seconds", False),
        ("x = steps * seconds * rate * 2", False),
        ("x = steps * (seconds * rate)", False),
        ("x = (steps / seconds) * rate", False),
        ("x = steps * seconds * rate\ny = seconds * 2", False),
    ],
)
def test_times_of_frames_are_products_in_one_order(line: str, is_ordered: bool) -> None:
    found = sounds._times_of_frames(function_of("seconds", line), "seconds")
    assert (found is None) == is_ordered
    if found is not None:
        assert found.reason == "the times of frames are multiplied in another order"
        assert isinstance(found.node, ast.BinOp)


MADE = """for i in input_ids:
    pass
a = torch.full((3,), 0, dtype=input_ids.dtype, device=input_ids.device)
b = torch.zeros(1, dtype=input_ids.dtype, device=input_ids.device)
return a, b"""
LIKE = "of {} is not known to be that of input_ids"


def branch_of(lines: str) -> tuple[ast.FunctionDef, branch.Branch]:
    function = function_of("input_ids", lines)
    found = branch.positions_branch(function)
    assert found is not None
    return function, found


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("", "", ""),
        ("a = torch", "kind = input_ids.dtype\na = torch", ""),
        ("0, dtype=input_ids.dtype", "0, dtype=torch.long", f"the dtype {LIKE.format('a')}"),
        ("0, dtype=input_ids.dtype, ", "0, ", f"the dtype {LIKE.format('a')}"),
        ("0, dtype=input_ids.dtype, device=input_ids.device", "0, dtype=input_ids.dtype", f"the device {LIKE.format('a')}"),
        ("1, dtype=input_ids.dtype", "1, dtype=input_ids.device", f"the dtype {LIKE.format('b')}"),
        ("1, dtype=input_ids.dtype, device=input_ids.device", "1, dtype=input_ids.dtype", f"the device {LIKE.format('b')}"),
        ("b = torch.zeros(1, dtype=input_ids.dtype, device=input_ids.device)", "b = a + 1", f"the dtype {LIKE.format('b')}"),
        ("0, dtype=input_ids.dtype", "0, dtype=kind", f"the dtype {LIKE.format('a')}"),
    ],
)  # fmt: skip
def test_results_are_made_like_the_ids(old: str, new: str, reason: str) -> None:
    function, found = branch_of(MADE.replace(old, new) if old else MADE)
    objection = targets._made_like(function, found, "input_ids")
    assert (objection.reason if objection is not None else "") == reason
    if objection is not None:
        assert isinstance(objection.node, ast.Return)


NOT_WRITTEN = "the dtype of its positions is not written, or that of input_ids"
ELSEWHERE = "its results are not made on the device of input_ids"
UNKNOWN = "how its results are made is not known"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("", "", "input_ids.dtype"),
        ("0, dtype=input_ids.dtype", "0, dtype=torch.float", "torch.float"),
        ("1, dtype=input_ids.dtype, ", "1, ", "input_ids.dtype"),
        ("0, dtype=input_ids.dtype, ", "0, ", NOT_WRITTEN),
        ("0, dtype=input_ids.dtype", "0, dtype=kind", NOT_WRITTEN),
        ("0, dtype=input_ids.dtype, device=input_ids.device", "0, dtype=input_ids.dtype", ELSEWHERE),
        ("1, dtype=input_ids.dtype, device=input_ids.device", "1, dtype=input_ids.dtype", ELSEWHERE),
        ("1, dtype=input_ids.dtype, device=input_ids.device", "1, device=a.device", ELSEWHERE),
        ("return a, b", "a = a + 1\nreturn a, b", UNKNOWN),
        ("return a, b", "return a, c", UNKNOWN),
        ("b = torch", "b = c = torch", UNKNOWN),
    ],
)  # fmt: skip
def test_the_dtype_of_the_first_result_is_as_written(old: str, new: str, told: str) -> None:
    _, found = branch_of(MADE.replace(old, new) if old else MADE)
    made = branch.made_like(found, "input_ids")
    assert (made.reason if isinstance(made, Objection) else made) == told


LOOP = "for i in ids:\n    pass\nreturn a, b"
IN_IF = indent(LOOP, "    ")


@pytest.mark.parametrize(
    ("lines", "before", "statements"),
    [
        (LOOP, 0, 2),
        (f'"""Words."""\n{LOOP}', 0, 2),
        (f"x = 1\n{LOOP}", 0, 3),
        (f"if ids is None:\n    raise ValueError('ids')\n{LOOP}", 1, 2),
        (f"x = 1\nif x:\n{IN_IF}\nelse:\n    return a, b", 1, 2),
        (f"x = 1\nif x:\n    return a, b\nelse:\n{IN_IF}", 1, 2),
        (f"if x:\n{IN_IF}", 0, 2),
        ("return a, b", 0, 1),
        (f"if x:\n{IN_IF}\nelse:\n{IN_IF}", -1, 0),
        ("if x:\n    return a, b\nelse:\n    return a, b", -1, 0),
        (LOOP.replace("a, b", "a, b, c"), -1, 0),
        (LOOP.replace("a, b", "a"), -1, 0),
        (LOOP.replace("a, b", "a, b[0]"), -1, 0),
        (LOOP.replace("return ", "x = "), -1, 0),
        ('"""Words."""', -1, 0),
        ("if ids is None:\n    raise ValueError('ids')", -1, 0),
    ],
)  # fmt: skip
def test_the_branch_that_counts(lines: str, before: int, statements: int) -> None:
    found = branch.positions_branch(function_of("ids", lines))
    if found is None:
        assert before == -1
        return
    assert (len(found.before), len(found.statements)) == (before, statements)
    assert found.names == ("a", "b") and isinstance(found.statements[-1], ast.Return)


def test_what_attributes_keep_is_a_length_or_the_positions_of_targets() -> None:
    bare, *_ = [p for p in small_prompts() if p.targets() is None]
    full = small_prompts()[1]
    expected: Any = full.targets()
    length = full.ids.shape[1]
    assert targets._keeps(length, targets.LENGTH, full)
    for other in (length + 1, float(length), None, Arr(np.array(length))):
        assert not targets._keeps(other, targets.LENGTH, full)
    assert targets._keeps(Arr(expected), targets.TARGETS, full)
    assert targets._keeps(None, targets.TARGETS, bare)
    for other in (Arr(expected + 1), Arr(expected, True), expected, None, length):
        assert not targets._keeps(other, targets.TARGETS, full)
    for other in (Arr(expected), 0):
        assert not targets._keeps(other, targets.TARGETS, bare)


ASKS = "x = 1 if len(found) > 0 else 2"


@pytest.mark.parametrize(
    ("lines", "is_filled"),
    [
        (f"found.append(1)\n{ASKS}", True),
        (f"found.append(1)\ny = 1\n{ASKS}", True),
        (f"found.append(found.pop())\n{ASKS}", True),
        (f"found.append(1)\nfor i in a:\n    {ASKS}", True),
        (f"for i in a:\n    found.append(1)\n    {ASKS}", True),
        (f"if a:\n    found.append(1)\nelse:\n    found.append(2)\n{ASKS}", True),
        (f"found.append(1)\nother.clear()\n{ASKS}", True),
        (f"{ASKS}\nfound.append(1)", False),
        (f"other.append(1)\n{ASKS}", False),
        (f"found.extend(a)\n{ASKS}", False),
        (f"if a:\n    found.append(1)\n{ASKS}", False),
        (f"if a:\n    found.append(1)\nelse:\n    other.append(1)\n{ASKS}", False),
        (f"for i in a:\n    found.append(1)\n{ASKS}", False),
        (f"found.append(1)\nfound = []\n{ASKS}", False),
        (f"found.append(1)\nfound.clear()\n{ASKS}", False),
        (f"found.append(1)\nfound.pop()\n{ASKS}", False),
        (f"found.append(1)\nprint(found.pop())\n{ASKS}", False),
        (f"found.append(1)\ny = found.pop()\n{ASKS}", False),
        (f"found.append(1)\ndel found[0]\n{ASKS}", False),
        (f"found.append(1)\nif a:\n    found.remove(1)\n{ASKS}", False),
        (f"found.append(1)\nfor i in a:\n    {ASKS}\n    found.clear()", False),
        (
            f"if a:\n    found.append(1)\n    found.clear()\nelse:\n    found.append(2)\n{ASKS}",
            False,
        ),
        (f"found.append(1)\n{ASKS.replace('> 0', '> 1')}", False),
        (f"found.append(1)\n{ASKS.replace('> 0', '>= 0')}", False),
        (f"found.append(1)\n{ASKS.replace('len(', 'sum(')}", False),
        (f"found.append(1)\n{ASKS.replace('len(found) > 0', 'found')}", False),
    ],
)
def test_a_list_that_is_filled_is_not_empty(lines: str, is_filled: bool) -> None:
    body = ast.parse(lines).body
    assert len([*branch._never_else(body)]) == is_filled
    nodes = {node for statement in body for node in ast.walk(statement)}
    (value,) = (node for node in nodes if isinstance(node, ast.IfExp))
    shown = branch.unshown(body, nodes, {value.test: {True}})
    assert (shown is None) == is_filled
    assert branch.unshown(body, nodes, {value.test: {True, False}}) is None


SHOWN = "for i in ids:\n    y = x[:2] + i % 2\n    z = torch.clamp(y, max=3)\n    y += 1"


@pytest.mark.parametrize(
    ("left_out", "outcomes", "reason"),
    [
        ("", {}, None),
        ("y += 1", {}, "no probe runs it"),
        ("z = torch.clamp(y, max=3)", {}, "no probe runs it"),
        ("", {"x[:2]": {True, False}, "i % 2": {True}, "y += 1": {True}}, None),
        ("", {"x[:2]": {False}}, "no probe is large enough to show what it does"),
        ("", {"i % 2": {False}}, "no probe is large enough to show what it does"),
        ("", {"y += 1": {False}}, "no probe is large enough to show what it does"),
        ("", {"max=3": {True, False}, "torch.clamp(y, max=3)": {True, False}}, None),
        ("", {"max=3": {True}}, "no probe shows both sides of it"),
        ("", {"torch.clamp(y, max=3)": {False}}, "no probe shows both sides of it"),
        ("", {"y": set()}, None),
    ],
)
def test_what_no_run_shows(
    left_out: str, outcomes: dict[str, set[bool]], reason: str | None
) -> None:
    body = ast.parse(f'"""Words."""\n{SHOWN}').body
    nodes = {ast.unparse(node): node for statement in body for node in ast.walk(statement)}
    ran = {n for n in nodes.values() if ast.unparse(n) != left_out and n is not body[0]}
    found = branch.unshown(body, ran, {nodes[text]: seen for text, seen in outcomes.items()})
    assert (found.reason if found is not None else None) == reason
    if found is not None:
        assert ast.unparse(found.node) == (left_out or [*outcomes][0])
