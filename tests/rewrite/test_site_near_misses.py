"""What is next to a form of loop that replaces placeholders: nothing is seen in it, or what it says instead."""

from __future__ import annotations

import pytest

from tests.rewrite.test_site_forms import FORMS, sites, told

#: Form, a piece of it, and another piece with which nothing is seen any more.
NOTHING = [
    ("counted up", "range(len(texts))", "range(1, len(texts))"),
    ("counted up", "range(len(texts))", "range(len(texts), 1)"),
    ("counted up", "range(len(texts))", "range(len(self.texts))"),
    ("counted up", "for i in", "for self.i in"),
    ("counted up", "for i in", "for i, j in"),
    ("counted up", "in texts[i]:", "in texts[0]:"),
    ("counted up", "self.token in", "self.token not in"),
    ("counted up", "size, 1)", "size, 2)"),
    ("counted up", "size, 1)", "size)"),
    ("counted up", "size, 1)", "size, 1, 1)"),
    ("counted up", "texts[i] = texts[i].replace(self", "texts[0] = texts[i].replace(self"),
    ("counted up", "texts[i] = texts[i].replace(self", "texts[i] = texts[0].replace(self"),
    ("counted up", "size = counts[index]", "size = len(texts[i])"),
    (
        "counted up",
        '"<mark>" * size, 1)',
        '"<mark>" * size, 1)\n        texts[i] = texts[i].replace("a", "b", 1)',
    ),
    ("of a number with a name", "number = len(texts)", "number = len(texts)\nnumber = 3"),
    ("of a number with a name", "number = len(texts)", ""),
    ("of a number with a name", "number = len(texts)", "self.number = len(texts)"),
    ("a mark, and a queue", "waiting.pop(0)", "waiting.pop()"),
    ("a mark, and a queue", "waiting.append(self", "others.append(self"),
    ("a mark, and a queue", 'while "<mark>" in text', "while self.mark in text"),
    ("a mark, and a queue", "waiting.pop(0), 1)", "waiting.pop(0), 1)\n        count(text)"),
    ("the same for all", "self.token * self.count", "text * self.count"),
    ("the same for all", "replace(self.token,", 'replace("<placeholder>",'),
    (
        "the same for all",
        "    made.append(text)",
        "    text = text.replace(self.other, self.unit)\n    made.append(text)",
    ),
    ("the same for all", "text = text.replace", "longer = text.replace"),
    ("put back", "texts[i] = longer", "texts[0] = longer"),
    ("put back", "texts[i] = longer", "others[i] = longer"),
    ("in a list", "for text in texts]", "for text in texts if text]"),
    ("in a list", "for text in texts]", "for text in self.texts]"),
    ("in a list", "for text in texts]", "for other in texts for text in other]"),
    ("in a list", "made = ", "self.made = "),
    ("in a list", "made = [", "made = self.made = ["),
    ("in a list", "[text.replace", "[other.replace"),
    ("by a pattern", "re.compile(escaped)", "re.compile(escaped, re.IGNORECASE)"),
    ("by a pattern", "re.escape(self.token)", "self.token"),
    ("by a pattern", "re.escape(self.token)", "re.escape(self.token, 1)"),
    ("by a pattern", "lambda _: next(counts), text)", "lambda _: next(counts), other)"),
    ("by a pattern", "lambda _: next(counts), text)", "lambda _: next(counts), text, 1)"),
    ("by a pattern", "lambda _: next(counts), text)", "text, lambda _: next(counts))"),
    ("by a pattern", "escaped = re", "pattern = re"),
    ("by a pattern of its own", "self.unit, text)", "self.unit, text, 1)"),
    ("by a pattern of its own", "re.sub(re.escape(self.token), self.unit, text)", "re.sub()"),
    ("split and joined", "text.split(self.token)", "text.split(self.token, 1)"),
    ("split and joined", "text.split(self.token)", "text.split()"),
    ("split and joined", "text.split(self.token)", "other.split(self.token)"),
    ("split and joined", "pieces.append(self.unit * size)", "pieces.append(part * size)"),
    ("split and joined", "pieces.append(self.unit * size)", "pieces.append(parts[0] * size)"),
    (
        "split and joined",
        "pieces.append(self.unit * size)",
        "pieces.append(self.unit)\n            pieces.append(size)",
    ),
    ("split and joined", "pieces.append(self.unit * size)", "self.pieces.append(self.unit * size)"),
    ("split and joined", "pieces.append(self.unit * size)", "pieces.append()"),
    ("split and joined", 'made.append("".join(pieces))', 'made += ["".join(pieces)]'),
    (
        "split beside lists",
        "for text, sizes in zip(texts, counts)",
        "for sizes, text in zip(counts, texts)",
    ),
    ("split beside several lists", "zip(sizes, others)", "zip(sizes, images)"),
    ("split beside several lists", "zip(sizes, others)", "enumerate(sizes)"),
    ("handed to a method", "(text, self.image_token, queue)", "(self.image_token, text, queue)"),
    (
        "handed to a method",
        "(text, self.image_token, queue)",
        "(text, self.image_token, queue, queue)",
    ),
    (
        "handed to a method",
        "(text, self.image_token, queue)",
        "(text, self.image_token, self.video_token, queue)",
    ),
    ("handed to a method", "(text, self.image_token, queue)", "(text, self.image_mark, queue)"),
    (
        "handed to a method",
        "(text, self.image_token, queue)",
        "(text, self.image_token, queue=queue)",
    ),
    (
        "handed to a method",
        "(text, self.image_token, queue)",
        "(text, self.image_token, queue, flag=1)",
    ),
    ("handed to a method", "text = self", "other = self"),
    ("handed to a method", "self.expanded", "self.parts.expanded"),
    ("handed to a method", "    made.append(text)", "    count(text)\n    made.append(text)"),
    ("handed to a method", "    made.append(text)", "    made.append(text)\n    more.append(text)"),
    ("spliced from the back", "for number, (", "for other, ("),
    ("spliced from the back", "for number, (text, sizes) in", "for number, text, sizes in"),
    ("spliced from the back", "enumerate(zip(texts, counts))", "enumerate(zip(texts, counts), 1)"),
    ("spliced from the back", "enumerate(zip(texts, counts))", "enumerate()"),
    ("spliced from the back", "zip(texts, counts)", "zip()"),
    ("spliced from the back", "reversed(list(zip(starts(text), sizes)))", "reversed()"),
    ("spliced from the back", "at + len(self.token):", "at + len():"),
    ("put back", "len(texts)", "len()"),
    ("spliced from the back", "zip(texts, counts)", "zip(counts, texts)"),
    ("spliced from the back", "enumerate(zip(texts, counts))", "enumerate(texts)"),
    ("spliced from the back", "(text, sizes)", "(sizes, text)"),
    ("spliced from the back", "texts[number] = text", "texts[at] = text"),
    ("spliced from the back", "texts[number] = text", "texts[number] = row"),
    ("spliced from the back", "texts[number] = text", "self.texts[number] = text"),
    (
        "spliced from the back",
        "texts[number] = text",
        "texts[number] = text\n        else:\n            count(at)",
    ),
    ("spliced from the back", "texts[number] = text", "texts[number] = text\n        count(at)"),
    ("spliced from the back", "text[:at] + row", "text[:size] + row"),
    ("spliced from the back", "text[:at] + row", "text[1:at] + row"),
    ("spliced from the back", "text[:at] + row", "row[:at] + row"),
    ("spliced from the back", "text[at + len", "text[size + len"),
    ("spliced from the back", "text[at + len", "row[at + len"),
    ("spliced from the back", "text[at + len(self.token):]", "text[at + len(self.token):-1]"),
    ("spliced from the back", "at + len(self.token):", "at - len(self.token):"),
    ("spliced from the back", "row = self.unit * size", "row = text * size"),
    ("one for all of a text", "texts[number] = texts[number]", "texts[number] = texts[size]"),
    ("one for all of a text", "texts[number] = texts", "texts[number] = others[number] = texts"),
    ("one for all of a text", "texts[number] = texts", "others[number] = texts[number] = texts"),
    ("one for all of a text", "texts[number]", "texts[other]"),
    ("one for all of a text", "texts[number]", "texts[0]"),
    ("one for all of a text", "self.unit * size", "texts[0] * size"),
    ("one for all of a text", "row)", "row)\n    count(row)"),
    ("at once, and more behind", "self.token, self.unit", "self.token, longer"),
    ("at once, and more behind", "self.token, self.unit", "self.token, text"),
    ("at once, and more behind", "self.token, self.unit", "'<a>', self.unit"),
    ("at once, and more around", "check(text)", "text = check(text)"),
    ("at once, and more around", "for text in texts", "for text in self.texts"),
    ("for each, and more", "next(counts), 1)", '"<mark>", 1)'),
    ("for each, and more", "self.begin + text", "begin + text\n        begin = next(images)"),
    ("for each, and more", "    while", "    check(text)\n    while"),
    ("either of two", " or ", " and "),
    ("either of two", "self.video_token in text", "self.video_token in other"),
    (
        "either of two",
        "self.video_token in text",
        "self.video_token in text or self.audio_token in text",
    ),
    ("either of two", "        else:", "            count(text)\n        else:"),
    ("either of two", "replace(self.video_token", "replace(self.image_token"),
    ("either of two", "waiting.append(next(images))", "others.append(next(images))"),
    (
        "either of two",
        "waiting.append(next(images))",
        "waiting.append(next(images))\n            waiting.append(1)",
    ),
]
#: Form, a piece, another piece, and what is said otherwise then.
OTHERWISE: list[tuple[str, str, str, dict[str, str]]] = [
    (
        "counted up",
        "index += 1",
        "index += 2",
        {"item": "size = counts[index]; index += 2", "counter": ""},
    ),
    (
        "counted up",
        "index += 1",
        "index -= 1",
        {"item": "size = counts[index]; index -= 1", "counter": ""},
    ),
    (
        "counted up",
        "index += 1",
        "self.index += 1",
        {"item": "size = counts[index]; self.index += 1", "counter": ""},
    ),
    (
        "counted up",
        'replace("<mark>", self.token)',
        "replace(self.mark, self.token)",
        {
            "item": "",
            "marks": "",
            "counter": "",
            "kept": 'for i in range(len(texts)):\n    for _ in range(texts[i].count(self.token)):\n        size = counts[index]\n        __replacements.append("<mark>" * size)\n        index += 1\n    texts[i] = texts[i].replace(self.mark, self.token)',
        },
    ),
    (
        "counted up",
        'replace("<mark>", self.token)',
        'replace("<mark>", self.token, 1)',
        {
            "item": "",
            "marks": "",
            "counter": "",
            "kept": 'for i in range(len(texts)):\n    for _ in range(texts[i].count(self.token)):\n        size = counts[index]\n        __replacements.append("<mark>" * size)\n        index += 1\n    texts[i] = texts[i].replace("<mark>", self.token, 1)',
        },
    ),
    (
        "counted up",
        "    index += 1",
        "    index += 1\n        other += 1",
        {"item": "size = counts[index]; other += 1"},
    ),
    (
        "counted up",
        '    texts[i] = texts[i].replace("<mark>", self.token)',
        '    texts[i] = texts[i].replace("<mark>", self.token)\n    count(texts[i])',
        {
            "item": "",
            "counter": "",
            "kept": 'for i in range(len(texts)):\n    for _ in range(texts[i].count(self.token)):\n        size = counts[index]\n        __replacements.append("<mark>" * size)\n        index += 1\n    count(texts[i])',
        },
    ),
    ("of a number with a name", "number = len(texts)", "number = None\nnumber = len(texts)", {}),
    ("of a number with a name", "number = len(texts)", "number = len(texts)\nnumber = None", {}),
    ("of a number with a name", "number = len(texts)", "other = number = len(texts)", {}),
    (
        "collected",
        "counts.pop(0)",
        "counts.pop()",
        {"value": "self.unit * counts.pop()", "taken": ""},
    ),
    (
        "collected",
        "counts.pop(0)",
        "counts.pop(1)",
        {"value": "self.unit * counts.pop(1)", "taken": ""},
    ),
    (
        "collected",
        "counts.pop(0)",
        "self.counts.pop(0)",
        {"value": "self.unit * self.counts.pop(0)", "taken": ""},
    ),
    (
        "collected",
        "counts.pop(0)",
        "next(self.counts)",
        {"value": "self.unit * next(self.counts)", "taken": ""},
    ),
    (
        "collected",
        "counts.pop(0)",
        "next(images, counts.pop(0))",
        {
            "value": "self.unit * next(images, counts.pop(0))",
            "taken": "next(images, counts.pop(0)) of images, counts.pop(0) of counts",
        },
    ),
    (
        "collected",
        "made.append(text)",
        "made.append(text, 1)",
        {
            "result": "",
            "taken": "",
            "kept": "for text in texts:\n    for _ in range(text.count(self.token)):\n        __replacements.append(self.unit * counts.pop(0))\n    made.append(text, 1)",
        },
    ),
    (
        "collected",
        "made.append(text)",
        "made.append(1, text)",
        {
            "result": "",
            "taken": "",
            "kept": "for text in texts:\n    for _ in range(text.count(self.token)):\n        __replacements.append(self.unit * counts.pop(0))\n    made.append(1, text)",
        },
    ),
    (
        "collected",
        "made.append(text)",
        "made.append(self.begin + text)",
        {
            "result": "",
            "taken": "",
            "kept": "for text in texts:\n    for _ in range(text.count(self.token)):\n        __replacements.append(self.unit * counts.pop(0))\n    made.append(self.begin + text)",
        },
    ),
    (
        "collected",
        "made.append(text)",
        "append(text)",
        {
            "result": "",
            "taken": "",
            "kept": "for text in texts:\n    for _ in range(text.count(self.token)):\n        __replacements.append(self.unit * counts.pop(0))\n    append(text)",
        },
    ),
    ("collected", "made.append(text)", "self.made.append(text)", {"result": "self.made"}),
    (
        "collected",
        "made.append(text)",
        "found = made.append(text)",
        {
            "result": "",
            "taken": "",
            "kept": "for text in texts:\n    for _ in range(text.count(self.token)):\n        __replacements.append(self.unit * counts.pop(0))\n    found = made.append(text)",
        },
    ),
    ("a mark, and a queue", "waiting = []", "waiting: list = []", {}),
    (
        "a mark, and a queue",
        "self.token * next(counts))",
        "self.token * next(counts))\n        others.append(1)",
        {
            "value": "'<mark>'",
            "taken": "",
            "kept": "for text in texts:\n    for _ in range(text.count(self.token)):\n        __replacements.append(self.token * next_item(counts, self.token))\n        others.append(1)",
            "queue": "waiting",
        },
    ),
    (
        "cleaned behind the loop",
        "for text in made]",
        "for text in made if text]",
        {"result": "made", "marks": "", "statements": ""},
    ),
    (
        "cleaned behind the loop",
        '"<mark>", self.unit)',
        '"<mark>", self.unit, 1)',
        {"result": "made", "marks": "", "statements": ""},
    ),
    (
        "cleaned behind the loop",
        "done = [text",
        "done = [other",
        {"result": "made", "marks": "", "statements": ""},
    ),
    (
        "cleaned behind the loop",
        "done = [",
        "done += [",
        {"result": "made", "marks": "", "statements": ""},
    ),
    (
        "cleaned behind the loop",
        "    made.append(text)",
        '    text = text.replace("<end>", self.end)\n    made.append(text)',
        {"marks": "<end>, <mark>, self.unit"},
    ),
    ("the same for all", "replace(self.token,", 'replace("<mark>",', {"token": "'<mark>'"}),
    (
        "the same for all",
        "made.append(text)",
        "made.append(text)\n    count(text)",
        {"rest": "for text in __expanded:\n    made.append(text)\n    count(text)"},
    ),
    ("split and joined", "pieces += [part]", "pieces.append(part)", {}),
    (
        "split beside lists",
        "for text, sizes in zip(texts, counts)",
        "for text, self.sizes in zip(texts, counts)",
        {"each": ""},
    ),
    ("split beside lists", "for size in sizes", "for size in others", {"each": ""}),
    ("split beside lists", "for size in sizes", "for size in self.sizes", {"each": ""}),
    (
        "split beside lists",
        "    pieces.append(row)",
        "    pieces.append(row)\n        count(row)",
        {"item": "row = self.unit * size; count(row)", "each": ""},
    ),
    ("split beside lists", "weave(parts, pieces)", "weave(parts, self.pieces)", {}),
    (
        "handed to a method",
        "(text, self.image_token, queue)",
        "(text, self.image_token, queue, size)",
        {"value": "self.expanded(self.image_token, self.image_token, iter([next(queue)]), size)"},
    ),
    (
        "handed to a method",
        "(text, self.image_token, queue)",
        "(text, queue, self.image_token)",
        {"value": "self.expanded(self.image_token, iter([next(queue)]), self.image_token)"},
    ),
    (
        "spliced from the back",
        "reversed(list(zip(starts(text), sizes)))",
        "reversed(zip(starts(text), sizes))",
        {},
    ),
    (
        "spliced from the back",
        "list(zip",
        "set(zip",
        {
            "kept": "for number, (text, sizes) in enumerate(zip(texts, counts)):\n    for at, size in set(zip(starts(text), sizes)):\n        if size:\n            row = self.unit * size\n            __replacements.append(row)\n        else:\n            __replacements.append(self.token)"
        },
    ),
    (
        "at once, and more behind",
        "self.begin + longer",
        "longer + text",
        {
            "rest": "for text, longer in zip(texts, __expanded):\n    longer = longer + text\n    made.append(longer)"
        },
    ),
    (
        "at once, and more behind",
        "longer = self.begin + longer",
        "longer = longer.replace(self.begin, self.end)",
        {
            "rest": "for longer in __expanded:\n    longer = longer.replace(self.begin, self.end)\n    made.append(longer)"
        },
    ),
    (
        "for each, and more",
        "self.begin + text",
        "self.begin + other",
        {
            "rest": "for given, text in zip(texts, __expanded):\n    for _ in range(given.count(self.token)):\n        text = self.begin + other\n    made.append(text)"
        },
    ),
    (
        "for each, and more",
        "next(counts), 1)",
        "next(counts), 1)\n        begin = next(images)",
        {"taken": "next(images) of images, next(counts) of counts", "item": "begin = next(images)"},
    ),
    (
        "for each, and more",
        "    made.append(text)",
        "    text = self.begin + text\n    made.append(text)",
        {
            "rest": "for given, text in zip(texts, __expanded):\n    for _ in range(given.count(self.token)):\n        text = self.begin + text\n    text = self.begin + text\n    made.append(text)"
        },
    ),
    (
        "for each, and more",
        "    made.append(text)",
        "    text = text.replace('<mark>', self.unit)\n    made.append(text)",
        {"marks": "<mark>, self.unit"},
    ),
]


@pytest.mark.parametrize(("form", "old", "new"), NOTHING)
def test_nothing_is_seen_in_a_near_miss(form: str, old: str, new: str) -> None:
    body, _, _ = FORMS[form]
    assert old in body and sites(body.replace(old, new)) == []


@pytest.mark.parametrize(("form", "old", "new", "said"), OTHERWISE)
def test_what_is_said_of_another_loop(form: str, old: str, new: str, said: dict[str, str]) -> None:
    body, wanted, _ = FORMS[form]
    assert old in body
    (site,) = sites(body.replace(old, new))
    found = told(site)
    assert {
        n: found.get(n, "") for n in wanted.keys() | found if wanted.get(n) != found.get(n)
    } == said


def test_a_list_that_is_made_of_other_texts_is_a_site_of_its_own() -> None:
    body, wanted, _ = FORMS["cleaned behind the loop"]
    for old, new, texts, token in (
        ("for text in made]", "for text in texts]", "texts", "'<mark>'"),
        ('"<mark>", self.unit)', "self.mark, self.unit)", "made", "self.mark"),
        ("done = [", "count(texts)\ndone = [", "made", "'<mark>'"),
    ):
        first, second = map(told, sites(body.replace(old, new)))
        assert first == {k: v for k, v in wanted.items() if k not in ("marks", "statements")} | {
            "result": "made"
        }
        assert second == {"token": token, "texts": texts, "result": "done", "value": "self.unit"}


def test_calls_for_several_placeholders_are_sites_one_behind_the_other() -> None:
    body, wanted, _ = FORMS["handed to a method"]
    call = "    text = self.expanded(text, self.{}, queue)\n"
    one, other = map(
        told,
        sites(
            body.replace(
                call.format("image_token"), call.format("image_token") + call.format("video_token")
            )
        ),
    )
    assert one == wanted
    assert other["token"] == "self.video_token" and (other["texts"], other["statements"]) == (
        "made",
        "0",
    )
