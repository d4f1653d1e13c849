"""What runs of a processor's code give after one small edit each: see :mod:`tests.rewrite.small_edits`.

On plain values what is followed is what Python gives. ``golden/edited_runs.txt`` says of each edit whether the
machine refuses it (``-``), it fails (``!``), gives the same as before (``=``) or something else, with a digest
of it. Values of which nothing is known are looked at in two worlds, and in a run of the whole.
"""

from __future__ import annotations

from textwrap import dedent

import pytest

from codegen.rewrite.tokens.machine import Machine
from codegen.rewrite.tokens.scopes import Closure, Raised
from codegen.rewrite.tokens.terms import World, freeze, term
from tests.rewrite.small_edits import (
    GOLDEN,
    digest,
    hold,
)
from tests.rewrite.test_processor_runs import FOLLOWED, code, followed, machine, python
from tests.rewrite.test_processor_terms import CALLS, PAIRS, items

TABLE = GOLDEN / "edited_runs.txt"
BELOW, MOST = "", 9
#: More of what processors do with values that are not known.
MORE = """
for text in texts:
    if text.size > 2 and text not in counts:
        counts = [*counts, text]
    elif text == texts[0] or not text.kept:
        del text.size
return counts, [t.size for t in texts if t.kept], len(texts[0])
---
outputs = self.image_processor(texts, **self.kept)
sizes = iter(outputs["sizes"])
first, *others = outputs.pop("sizes")
return next(sizes, None), others, outputs.get("other"), {**outputs, "first": first}
---
kept = {"a": texts[0], **counts[0], "b": 1}
kept.update(counts[1])
return kept["a"], kept.pop("b", 2), kept.setdefault("c", 3), "d" in kept, [*kept]
---
grid = texts[0]["grid"].prod() // 2 ** 2
return "<x>" * grid, grid - 1, 1 - grid, -grid, grid[0], grid[1:], not grid, grid is None
---
total = sum(t.size for t in texts)
return max(total, 1), min(texts), abs(total), round(total, 1), f"{total:>3}{texts[0]!r}", "%s" % total
---
self.tokenizer(text=["<x>", *texts], return_tensors=counts[0], **counts[1])
self.image_processor.preprocess(images=[texts, counts])
return BatchFeature(data={**texts[0], **counts[0]}, tensor_type=counts[1])
---
return getattr(self, "size", 1), getattr(texts[0], "size", 2), hasattr(self, "kept"), hasattr(texts[0], "size"), isinstance(
    texts[0], list), all(texts), any(texts), list(map(len, texts)), list(zip(texts, counts)), list(enumerate(texts))
---
def inner(item, *more, kept=texts[0], **named):
    return item, more, kept, named
return inner(1), inner(*texts), inner(1, 2, kept=3), inner(1, **counts[0]), (lambda t: t + 1)(texts[0])
---
texts[0].sizes.append(texts[1])
texts[0].sizes.extend(counts)
texts[0]["a"], texts[1].b = 1, 2
return texts[0].sizes[-1], texts[0].sizes[1:], texts[0]["a"], texts[1].b, texts[0].copy()["a"]
"""


def _pieces() -> dict[str, str]:
    found = {name: dedent(body).strip() + "\n" for name, body in FOLLOWED.items()}
    unknown = [f"return {call}" for call, _ in CALLS] + [body for body, _ in PAIRS]
    more = [part.strip() for part in MORE.split("---")]
    return found | {f"unknown {n}": f"{body}\n" for n, body in enumerate([*unknown, *more])}


PIECES = _pieces()


def outcome(name: str, body: str) -> str:
    """What a run gives otherwise than the piece of a name."""
    found = _found(name, body)
    return "=" if found == _found(name, PIECES[name]) and body != PIECES[name] else found


def _found(name: str, body: str) -> str:
    if name not in FOLLOWED:
        both = [_unknown(body, *how) for how in ((0, False), (1, True))]
        return "-" if both == ["-", "-"] else digest("\n".join(both))
    text = code(body)
    try:
        found, kind = followed(text)
        frozen = str(freeze(found))
    except Exception:  # whatever it is, the evidence takes it for what cannot be followed
        return "-"
    if "('term'" not in frozen and "('known'" not in frozen:  # as the instance, or what a base says
        expected = python(text)
        is_there = expected[1] not in ("NameError", "AttributeError", "UnboundLocalError")
        assert (found, kind) == expected or not is_there or not (kind or "x").isidentifier()
    return f"!{kind}" if kind.isidentifier() else digest(kind or frozen)


def _unknown(body: str, world: int, whole: bool) -> str:
    """Value and traces of a run on what is not known, or why there is none."""
    run = machine(code(body))
    run = Machine(run.subject, World(world), whole)
    method = run.subject.method("f")
    assert method is not None
    try:
        found = run.call(Closure(method, owner=run.instance), (items(2), [term("a"), 2]), {})
        return str(
            (freeze(found), run.trace, run.components, run.tokenized and freeze(run.tokenized))
        )
    except Raised as error:
        return f"! {error.kind}"
    except Exception:
        return "-"


@pytest.mark.parametrize("name", PIECES)
def test_an_edited_run_gives_what_is_recorded(name: str, request: pytest.FixtureRequest) -> None:
    hold(TABLE, PIECES, name, outcome, request.config.getoption("--update-golden"))
