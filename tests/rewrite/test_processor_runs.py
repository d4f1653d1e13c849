"""What a run of a processor's code gives on plain values is what Python gives, and raises what Python raises.

Each piece of code is executed on both sides: as Python, and by the machine that the evidence of moved loops
rests on. What the machine cannot follow it must refuse, never guess.
"""

from __future__ import annotations

import copy
from textwrap import dedent, indent
from typing import Any

import pytest

from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo, ModuleInfo
from codegen.rewrite.tokens.machine import Machine
from codegen.rewrite.tokens.scopes import Closure, Raised
from codegen.rewrite.tokens.subject import Subject
from codegen.rewrite.tokens.terms import Unsupported, World
from codegen.rewrite.values import Source
from tests.rewrite.test_tokens import Nothing

FRAME = """
import re
from itertools import accumulate, islice

MARKS = ("<a>", "<b>")


def doubled(item):
    return item * 2


class Base:
    size = 2

    def told(self, word, *more, last="!", **named):
        return word + "".join(more) + last + "".join(sorted(named))

    def each(self, texts):
        for text in texts:
            if not text:
                continue
            yield text + "."


class TinyProcessor(Base):
    def told(self, word, *more, **named):
        return "(" + super().told(word, *more, **named) + ")"

    @staticmethod
    def plain(item, times=2):
        return item * times

    @property
    def mark(self):
        return "<m>"

    def f(self, texts, counts):
"""
TEXTS = ["a <x> b <x>", "", "<x><y> c"]
COUNTS = [2, 0, 3, 1]

FOLLOWED = {
    "slices and steps": "return texts[1:], texts[:-1], texts[::2], texts[-1][1:3], counts[3:0:-2]",
    "for with else": """
        found = []
        for count in counts:
            if count == 0:
                continue
            if count > 2:
                break
            found.append(count)
        else:
            found.append(-1)
        for count in counts:
            pass
        else:
            found.append(-2)
        return found, count""",
    "while with else": """
        left, found = counts[0], []
        while left > 0:
            left -= 1
            if left == 1:
                continue
            found.append(left)
        else:
            found.append("end")
        while True:
            if len(found) > 3:
                break
            found += [left]
        else:
            found.append("never")
        return found""",
    "replacing one by one": """
        made = list(texts)
        number = 0
        for i in range(len(made)):
            while "<x>" in made[i]:
                made[i] = made[i].replace("<x>", "[" + "." * counts[number] + "]", 1)
                number += 1
        return made, number""",
    "arithmetic": """
        a, b = counts[0], counts[2]
        return a + b, a - b, a * b, b / a, b // a, b % a, a**b, a & b, a | b, a ^ b, -a, not a""",
    "order": """
        a, b = counts[0], counts[2]
        return [a < b, a <= a, a > b, a >= a, a == b, a != b, a < b <= b, a < b < b, a is None, a is not None]""",
    "membership": """
        return [2 in counts, 7 in counts, 2 not in counts, 7 not in counts, "<x>" in texts[0], "z" in texts[0],
                "k" in {"k": 1}, "v" in {"k": 1}, 1 in set(counts), 5 in range(3), 2 in (1, 2)]""",
    "and, or, if": """
        empty, full = texts[1], texts[0]
        return [empty or full, empty and full, full and empty or 3, full if empty else 1, empty if full else 2,
                not empty, not full, None or 0, 1 and 2 and 3]""",
    "unpacking": """
        first, *middle, last = counts
        *rest, end = counts
        (a, b), c = counts[:2], counts[2]
        d = e = [1]
        d += [2]
        return first, middle, last, rest, end, a, b, c, d, e""",
    "unpacking too few": "a, b, c = counts[:2]\nreturn a",
    "unpacking too many": "a, b = counts\nreturn a",
    "unpacking with a star too few": "a, b, *c, d = counts[:2]\nreturn a",
    "comprehensions": """
        pairs = [(i, j) for i in range(3) for j in range(i) if i + j > 1]
        return pairs, {c for c in counts}, {t: len(t) for t in texts}, sum(c for c in counts if c), [
            word for text in texts if text for word in text.split()]""",
    "names of comprehensions stay inside": "i = 5\nfound = [i for i in range(3)]\nreturn i, found",
    "a name given in an expression": "return [(n := len(texts)), n + 1, [(m := c) for c in counts]]",
    "iterators": """
        it = iter(counts)
        first = next(it)
        rest = [next(it, None) for _ in range(5)]
        return first, rest, next(iter([]), "none")""",
    "an iterator at its end": "it = iter(counts[:1])\nnext(it)\nreturn next(it)",
    "an iterator goes on": """
        it = iter(counts)
        found = [c for c in it if c < 3 and len(texts) == 3][:1]
        it = iter(counts)
        for c in it:
            break
        return found, list(it)""",
    "an iterator that several loops share": """
        it = iter(counts)
        found = []
        for c in it:
            found.append(c)
            for d in it:
                found.append(-d)
                break
        return found""",
    "an iterator of an iterator": "it = iter(counts)\nother = iter(it)\nnext(it)\nreturn next(other), list(it)",
    "a list that grows while it is gone through": """
        made = [1]
        for item in made:
            if len(made) < 4:
                made.append(item + 1)
        return made""",
    "generators": "return list(self.each(texts)), next(self.each(texts[2:]))",
    "methods and super": """
        return self.told("a"), self.told("a", "b", "c"), self.told("a", last="?", extra=1), self.told(*texts)""",
    "static methods and properties": "return self.plain('a'), self.plain('a', times=3), self.mark, self.mark * 2",
    "functions and lambdas": """
        def inner(item, times=counts[0]):
            return doubled(item) * times
        add = lambda x, y=1: x + y
        return inner("a"), inner("a", 1), inner(times=3, item="b"), add(1), add(1, 5)""",
    "keywords in a dictionary": "given = {'last': '.'}\nreturn self.told('a', **given), dict(**given, more=1)",
    "constants of the file": "return MARKS[0], [m in '<a>' for m in MARKS]",
    "dictionaries": """
        d = {"a": 1, **{"b": 2}}
        d["c"] = 3
        del d["a"]
        d.update({"d": 4})
        d.setdefault("b", 9)
        d.setdefault("e", 5)
        return d, d.get("a"), d.get("b"), d.get("z", 7), d.pop("c"), d.pop("z", None), list(d.items()), list(d.keys())""",
    "an attribute that is taken away again": """
        self.kept = 1
        before = self.kept, hasattr(self, "kept")
        del self.kept
        return before, hasattr(self, "kept"), self.kept""",
    "a key that is missing": "return {'a': 1}['b']",
    "a key that cannot be taken out": "return {'a': 1}.pop('b')",
    "a position that is missing": "return counts[9]",
    "a position from the end that is missing": "return counts[-5]",
    "a division by zero": "return counts[0] // counts[1]",
    "lists": """
        made = list(counts)
        made.append(9)
        made.extend(texts[:1])
        made.insert(0, "first")
        made.remove(0)
        last = made.pop()
        first = made.pop(0)
        made[1:2] = ["x", "y"]
        made[-1] = "end"
        del made[0]
        return made, first, last, made.index("x"), made.count("y"), counts + [1], [0] * 3, (1,) + (2,)""",
    "what is not in a list": "counts.remove(77)\nreturn counts",
    "sorting": """
        made = list(counts)
        made.sort()
        return made, sorted(counts, reverse=True), sorted(texts, key=len), sorted(texts, key=lambda t: -len(t)), list(
            reversed(counts))""",
    "strings": """
        t = texts[0]
        return [t.split("<x>"), t.split(), t.count("<x>"), t.find("<x>"), t.find("z"), t.replace("<x>", "y"),
                t.replace("<x>", "y", 1), t.upper(), t.startswith("a"), t.endswith("a"), t.strip("a "),
                t.rsplit("<x>", 1), t.partition("<x>"), "-".join(texts), "{} {n}".format(t, n=1), t[0], len(t)]""",
    "strings with values": """
        n, t, f = counts[0], texts[0], 2.5
        return f"{n}", f"{t}!", f"{f:.2f}", f"{n:>{n}}", f"{n:03d}", "%d of %s" % (n, t), t + "a", "a" * n, n * "b" """,
    "an index that is not found": "return texts[0].index('zzz')",
    "numbers of": """
        return len(counts), len(""), max(counts), min(counts), sum(counts), sum(counts, 10), max(1, 7, 3), min(4, 2), max(
            [], default=5), abs(-3), int("7"), float(2), round(2.6), bool(counts), bool(""), str(3)""",
    "numbers in another base, rounded": "return int('ff', 16), round(2.567, 1), round(1234, -2)",
    "all and any": "return all(counts), any(counts), all([]), any([]), all(c > -1 for c in counts)",
    "ranges and pairs": """
        return [list(range(3)), list(range(1, 4)), list(range(4, 0, -2)), list(enumerate(texts)), list(
            enumerate(texts, 1)), list(enumerate(texts, start=2)), list(zip(texts, counts)), list(map(len, texts)), list(
            map(doubled, counts)), list(islice(counts, 2)), list(islice(counts, 1, 3)), list(accumulate(counts))]""",
    "pairs that have to fit": "return list(zip(texts, counts, strict=True))",
    "kinds": """
        return [isinstance(texts, list), isinstance(texts, (tuple, list)), isinstance(texts, str), isinstance(
            counts[0], int), isinstance(True, int), isinstance(None, str), isinstance({}, dict), isinstance(1, float)]""",
    "patterns": """
        p = re.compile("<(.)>")
        t = texts[2]
        return [p.sub("-", t), p.sub(lambda m: m.group(1) + m[0], t), re.sub("<x>", "y", t), re.findall("<.>", t), [
            m.start() for m in re.finditer("<", t)], p.split(t), p.search("none"), re.escape("<x>."), p.findall(t),
            re.split("<", t)]""",
    "patterns that replace some only": """
        t = "<x><x><x>"
        p = re.compile("<x>")
        return re.sub("<x>", "y", t, 1), re.sub("<x>", "y", t, count=2), p.sub("y", t, 1), p.sub("y", t, count=2)""",
    "a default that is made once a call": "return self.plain(item='a'), self.plain(times=1, item='b')",
    "attributes": "self.kept = [1]\nself.kept.append(2)\nself.size = 3\nreturn self.kept, self.size",
    "an exception of its own": "raise ValueError('so it is', texts[1])",
    "an assertion": "assert counts[1], 'no'\nreturn 1",
    "an assertion that holds": "assert counts[0], 'no'\nreturn 1",
    "no value": "counts.append(5)",
    "the arguments are changed": "texts[1] = 'new'\ncounts.pop()\nreturn texts, counts",
    "nested functions see names around them": """
        total = 1
        def grow(by):
            return total + by
        total = 10
        return grow(1)""",
    "several targets": "a = b = len(texts)\n(c, d), e = (1, 2), [3]\nx: int = 4\nreturn a, b, c, d, e, x",
    "augmented": """
        n, t, row = 7, "a", [1, 2]
        n += 1; n -= 2; n *= 3; n //= 2; n %= 5; n **= 2; n |= 1; n &= 7; n ^= 2
        t += "b"; t *= 2
        row[0] += 5
        row[:1] += [6, 7]
        return n, t, row""",
    "identity": "a = None\nreturn a is None, a is not None, texts is texts, texts is not counts",
    "sets": """
        s = set(counts)
        s.add(9)
        s.update([4, 4])
        return s, len(s), 9 in s, s == set([4, 9, 0, 1, 2, 3]), sorted(s)""",
}
REFUSED = {
    "flags of a replacement": "return re.sub('A', 'b', 'aA', flags=re.I)",
    "flags of a replacement by place": "return re.sub('A', 'b', 'aA', 1, re.I)",
    "flags of a search": "return re.findall('A', 'aA', re.I)",
    "flags of a pattern": "return re.compile('A', re.I)",
    "flags of a pattern by name": "return re.compile('A', flags=re.I)",
    "a part of the string": "return re.compile('A').findall('AAA', 1)",
    "sums by a function": "return list(accumulate(counts, max))",
    "sums with a beginning": "return list(accumulate(counts, initial=1))",
    "a largest by a key": "return max(texts, key=len)",
    "a set that is written out": "return {1, 2}",
    "with": "with open('x') as file:\n    return file",
    "try": "try:\n    return 1\nexcept ValueError:\n    return 2",
    "a loop over nothing": "for x in None:\n    pass",
    "a loop over a number": "for x in 5:\n    pass",
    "a loop over the processor": "for x in self:\n    pass",
    "a string and a number": "return 'a' + 1",
    "a long repetition": "return 'a' * 10 ** 6",
    "a long list": "return [0] * 10 ** 6",
    "a long string of replacements": "return 'aaaa'.replace('a', 'b' * 100_000)",
    "an endless loop": "while True:\n    pass",
    "a global statement": "global size\nreturn 1",
    "too many arguments": "return doubled(1, 2)",
    "an argument that nobody takes": "return doubled(1, other=2)",
    "no argument": "return doubled()",
    "a next of a list": "return next(counts)",
    "a call of a number": "return counts[0]()",
    "an attribute of a list": "counts.kept = 1",
    "an entry of a string": "texts[0][1] = 'b'",
    "a position that a list does not have": "counts[9] = 1",
    "an exception raised again": "raise",
    "an attribute that was never given": "del self.kept\nreturn 1",
    "an attribute of another": "del counts.kept\nreturn 1",
    "an inverted number": "return ~counts[0]",
}


def code(body: str) -> str:
    return FRAME + indent(dedent(body).strip("\n"), " " * 8) + "\n"


def python(text: str) -> tuple[Any, str]:
    space: dict[str, Any] = {}
    exec(compile(text, "tiny.py", "exec"), space)
    given = copy.deepcopy((TEXTS, COUNTS))
    try:
        return (space["TinyProcessor"]().f(*given), *given), ""
    except Exception as error:  # whatever the code raises is what is compared
        return given, type(error).__name__


def machine(text: str) -> Machine:
    info = ModuleInfo.parse(Source("tiny.py", "tiny", text))
    found = Subject(
        Index(Nothing(), lambda text: True), ClassInfo(info, info.classes["TinyProcessor"])
    )
    return Machine(found, World(0))


def followed(text: str) -> tuple[Any, str]:
    made = machine(text)
    given = copy.deepcopy((TEXTS, COUNTS))
    method = made.subject.method("f")
    assert method is not None
    try:
        return (made.call(Closure(method, owner=made.instance), given, {}), *given), ""
    except Raised as error:
        return given, error.kind


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_run_gives_what_python_gives(name: str) -> None:
    text = code(FOLLOWED[name])
    assert followed(text) == python(text)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_followed_is_refused(name: str) -> None:
    with pytest.raises(Unsupported):
        followed(code(REFUSED[name]))
