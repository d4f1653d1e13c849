"""What a run of a processor's code makes of values of which nothing is known but how they came about."""

from __future__ import annotations

from typing import Any

import pytest

from codegen.rewrite.tokens.machine import Machine
from codegen.rewrite.tokens.natives import _number_of_parts
from codegen.rewrite.tokens.scopes import Closure
from codegen.rewrite.tokens.terms import Term, Unsupported, World, freeze, term
from tests.rewrite.test_processor_runs import COUNTS, TEXTS, code, machine


def unknown(body: str, *given: Any) -> tuple[Any, Machine]:
    """What code gives for arguments of the test's own, and the machine that ran it."""
    made = machine(code(body))
    method = made.subject.method("f")
    assert method is not None
    return made.call(Closure(method, owner=made.instance), given or (TEXTS, COUNTS), {}), made


def items(count: int) -> list[Any]:
    """Terms of which nothing is known but that they differ."""
    return [term("item", number) for number in range(count)]


CALLS = [
    ("self.image_processor(texts)", (2,)),
    ("self.image_processor(images=texts)", (2,)),
    ("self.video_processor(videos=texts, more=counts)", (2,)),
    ("self.feature_extractor(audio=counts)", (1, 2)),
    ("self.image_processor(counts)", (1, 2)),
    ("self.image_processor([texts[0], counts[1]])", (1, 2)),
    ("self.image_processor(texts[0])", (1,)),
    ("self.image_processor(images=None)", ()),
    ("self.image_processor(more=texts)", ()),
    ("self.image_processor.preprocess(texts)", (2,)),
    ("self.image_processor.preprocess(images=counts)", (1, 2)),
    ("self.image_processor.other(texts)", ()),
    ("self.tokenizer(texts)", ()),
    ("texts[0](texts)", ()),
]


@pytest.mark.parametrize(("call", "numbers"), CALLS)
def test_a_processor_of_items_returns_something_for_each(
    call: str, numbers: tuple[int, ...]
) -> None:
    found, _ = unknown(f"return {call}", items(2), [items(1), items(2)])
    assert isinstance(found, Term) and found.items == numbers


def test_what_the_tokenizer_gets_is_remembered() -> None:
    _, run = unknown(
        "self.tokenizer(texts)\nself.tokenizer(text=counts)\nself.image_processor(texts)"
    )
    assert run.tokenized == [TEXTS, COUNTS]


def test_calls_of_parts_and_what_is_said_show_outside() -> None:
    _, run = unknown(
        """
        self.image_processor(texts, size=counts[0])
        logger.warning("so")
        logger.warning("so, too")
        warnings.warn("so")
        self.image_processor.info("so")
        other(texts)"""
    )
    assert [entry[:2] for entry in run.trace] == [
        ("call", freeze("image_processor")),
        ("said", freeze("logger")),
        ("said", freeze("warnings")),
    ]


PAIRS = [
    ("return self.part(texts[0]), self.part(texts[0])", True),
    ("return self.part(texts[0]), self.part(texts[1])", False),
    ("return self.part(texts[0]), self.other(texts[0])", False),
    ("return self.part(texts[0]), self.part(texts[0], more=1)", False),
    ("return self.part['a'], self.part['a']", True),
    ("return self.part['a'], self.part['b']", False),
    ("return self.part.a, self.part['a']", True),
    ("return self.part.to(1), self.part.to(1)", True),
    ("return self.part.to(1), self.part.to(2)", False),
    ("return texts[0] + 1, texts[0] + 1", True),
    ("return texts[0] + 1, texts[0] - 1", False),
    ("return texts[0] + 1, texts[1] + 1", False),
    ("return 1 - texts[0], texts[0] - 1", False),
    ("return -texts[0], -texts[0]", True),
    ("return -texts[0], texts[0]", False),
    ("return int(texts[0]), int(texts[0])", True),
    ("return round(texts[0], 1), round(texts[0], 2)", False),
    ("return int(texts[0]), float(texts[0])", False),
    ("return max(texts), max(texts)", True),
    ("return max(texts), min(texts)", False),
    ("return sum(texts), sum(texts, 1)", False),
    ("return unheard_of(texts), unheard_of(texts)", True),
    ("return unheard_of(texts), unheard_of(texts, 1)", False),
    ("return f'{texts[0]}', str(texts[0])", True),
    ("return {**texts[0], 'a': 1}, {**texts[0], 'a': 2}", False),
    ("return {**texts[0], 'a': 1}['a'], {**texts[1], 'a': 1}['a']", True),
    ("return {**texts[0], 'a': 1}['b'], texts[0]['b']", True),
    ("return texts[0].copy(), texts[0]", True),
    ("texts[0]['a'] = 1\nreturn texts[0]['a'], 1", True),
    ("other = texts[0].copy()\nother['a'] = 1\nreturn other, texts[0]", False),
    ("texts[0].update({'a': 1})\nreturn texts[0]['a'], 1", True),
    ("texts[0].a = 1\nreturn texts[0].a, 1", True),
    ("texts[0].setdefault('a', 1)\nreturn texts[0]['a'], texts[0].get('a', 2)", True),
    ("texts[0]['a'] = 3\nreturn texts[0].pop('a'), 3", True),
    ("texts[0]['a'] = 3\ndel texts[0]['a']\nreturn texts[0].get('a', 4), 4", True),
    ("texts[0]['a'] = 3\ntexts[0].pop('a')\nreturn texts[0].get('a'), None", True),
    ("return texts[0].replace('<x>', 'y'), texts[0]", True),
    ("return texts[0].count('<x>'), 0", True),
    ("return texts[0].split('<x>'), [texts[0]]", True),
    ("return re.sub('<x>', 'y', texts[0]), texts[0]", True),
    ("return self.image_processor.fetch_images(texts), texts", True),
    ("return make_flat_list_of_images([texts, [texts]]), [*texts, *texts]", True),
    ("return make_nested_list_of_images(texts), [texts]", True),
    ("return make_nested_list_of_images([texts, texts]), [texts, texts]", True),
    ("return make_list_of_images(texts[0]), [texts[0]]", True),
    ("return make_list_of_images(images=texts), texts", True),
]


@pytest.mark.parametrize(("body", "same"), PAIRS)
def test_values_are_equal_by_their_making(body: str, same: bool) -> None:
    found, _ = unknown(body, items(2), [])
    assert (freeze(found[0]) == freeze(found[1])) is same


@pytest.mark.parametrize(
    "body",
    [
        "return sorted(texts)",
        "texts.sort()",
        "return set(texts)",
        "return ['a', 'b'][texts[0]]",
        "counts[texts[0]] = 1",
        "texts[0].append('<x>')",
        "texts[0].remove(1)",
        "texts[0].insert(0, 1)",
        "texts[0].clear()",
        "return 'a' + counts",
        "return freeze_me([iter(counts)])",
        "return isinstance(self, list)",
    ],
)
def test_what_depends_on_unknown_values_is_refused(body: str) -> None:
    with pytest.raises(Unsupported):
        unknown(body, items(2), [1, 2])


def test_what_has_as_many_entries_keeps_the_number() -> None:
    body = """
        outputs = self.image_processor(texts)
        sizes = outputs["sizes"]
        return sizes, sizes + 1, 1 + sizes, sizes.tolist(), sizes[1:], int(sizes), convert(sizes), self.part(sizes)"""
    found, run = unknown(body, items(3), [])
    assert [run.world.length(value) for value in found] == [3, 3, 3, 3, 2, 3, 3, 3]
    assert len(unknown(body.replace("return ", "return [*sizes], "), items(2), [])[0][0]) == 2


def test_what_is_added_to_an_unknown_list_stands_at_its_end() -> None:
    body = """
        before = len(texts[0])
        texts[0].append(1)
        texts[0].extend([2, 3])
        return before, len(texts[0]), texts[0][before], texts[0][-1]"""
    (before, after, first, last), _ = unknown(body, items(1), [])
    assert (after, first, last) == (before + 3, 1, 3)


def test_how_often_something_is_repeated_is_the_same_for_the_same_number() -> None:
    one = term("item")
    found, run = unknown(
        "return '.' * texts[0], texts[0] * '.', [1] * texts[0], len([*range(texts[0])])", [one], []
    )
    count = run.world.count(one)
    assert found == ("." * count, "." * count, [1] * count, count)


def test_two_worlds_decide_alike_or_otherwise_but_each_for_good() -> None:
    body = "return [bool(texts[0]), texts[0] == texts[1], texts[0] in texts[1], texts[0] < 2, isinstance(texts[0], str)]"
    found = []
    for number in range(30):
        run = machine(code(body))
        run.world = World(number)
        method = run.subject.method("f")
        assert method is not None
        once, again = (
            run.call(Closure(method, owner=run.instance), (items(2), []), {}) for _ in range(2)
        )
        assert once == again
        found.append(once)
    assert all({row[n] for row in found} == {True, False} for n in range(5))


@pytest.mark.parametrize(
    ("call", "length"),
    [
        ("memoryview(texts)", 3),
        ("memoryview(texts, 1)", 3),
        ("memoryview(1, texts)", None),
        ("memoryview()", None),
        ("texts[0](texts)", 3),
        ("texts[0]()", None),
    ],
)
def test_what_is_made_of_items_by_unknown_means_has_as_many(call: str, length: int | None) -> None:
    texts = term("texts", 1)
    texts.length = 3
    found, _ = unknown(f"return {call}", texts, COUNTS)
    assert isinstance(found, Term) and found.length == length


@pytest.mark.parametrize(
    ("name", "args", "number"),
    [
        ("split", [0, [1, 2]], 2),
        ("split", [[1, 2]], None),
        ("split", [[1], 2], None),
        ("stack", [[1, 2, 3]], 3),
        ("array", [[1, 2], [3]], 2),
        ("asarray", [[]], 0),
        ("tensor", [[1, 2]], 2),
        ("tensor", [(1, 2)], None),
        ("tensor", [3, [1, 2]], None),
        ("tensor", [], None),
        ("zeros", [[1, 2]], None),
    ],
)
def test_functions_on_lists_give_as_many_entries(
    name: str, args: list[Any], number: int | None
) -> None:
    assert _number_of_parts(name, args) == number
