"""How a processor wants to be called, found by trying: what its prompts hold for an item, and which options it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from codegen.verify.processors.prompts import Prompt, singles

Outcome = Mapping[str, Any]
Placeholders = dict[str, str | None]
Try = Callable[[Prompt, Placeholders, Mapping[str, Any]], Outcome]

#: Options of every call, the first of which with which most modalities work: some read sizes off tensors,
#: and clips that are given whole are not to be sampled.
OPTIONS: tuple[dict[str, Any], ...] = (
    {"do_sample_frames": False, "padding": True},
    {"padding": True},
    {"do_sample_frames": False, "padding": True, "return_tensors": "pt"},
    {"padding": True, "return_tensors": "pt"},
    {},
)


@dataclass(frozen=True)
class Manner:
    """What was found.

    ``placeholders`` are what a prompt holds for an item, by modality: "" where tokens are written beside the
    text, None where items come without any text. ``nested``: items are given text by text (True), in one
    list (False), or either way (None). ``most`` is how many a text can have, ``equal`` whether all
    texts of a batch need the same number.
    """

    placeholders: Placeholders
    options: dict[str, Any]
    nested: bool | None
    most: int
    equal: bool

    def as_data(self) -> dict[str, Any]:
        """The manner as JSON has it."""
        return asdict(self)


@dataclass(frozen=True)
class Unknown:
    """No placeholder becomes anything; ``why`` is the first error, or empty."""

    why: str


def learn(candidates: Mapping[str, Sequence[str]], attempt: Try) -> Manner | Unknown:
    """Find out how to call a processor.

    Args:
        candidates: what may stand for an item in a prompt, by modality.
        attempt: makes a call with options.
    """
    best: Placeholders = {}
    options: Mapping[str, Any] = {}
    why = ""
    for tried in OPTIONS:
        found: Placeholders = {}
        for modality, names in candidates.items():
            placeholder, error = _placeholder(modality, names, tried, attempt)
            why = why or error
            if placeholder != "?":
                found[modality] = placeholder
        # What stands in a prompt tells more than what does not.
        if _rank(found) > _rank(best):
            best, options = found, tried
        if len(best) == len(candidates) and all(best.values()):
            break
    if not best:
        return Unknown(why)
    nested, most, equal = _habits(best, options, attempt)
    return Manner(best, dict(options), nested, most, equal)


def _rank(found: Placeholders) -> tuple[int, int]:
    return sum(bool(name) for name in found.values()), len(found)


def _placeholder(
    modality: str, names: Sequence[str], options: Mapping[str, Any], attempt: Try
) -> tuple[str | None, str]:
    """What stands for an item of a modality, "?" for nothing that is known, and the first error.

    A placeholder that something takes the place of comes before one that only changes what is around it.
    """
    why = ""
    around: list[str | None] = []
    beside: tuple[str | None, ...] = ("", None) if modality == "image" else ()
    for name in (*names, *beside):
        for nested in (False, True):
            outcome = attempt(next(singles(modality, nested)), {modality: name}, options)
            why = why or outcome["error"]
            written = "a  b" if name is None else f"a {name} b"
            if outcome["error"] or outcome["texts"] in ([], [written]):
                continue
            if name and written not in outcome["texts"][0]:
                return name, why
            around.append(name)
    return (around[0] if around else "?"), why


def _habits(
    placeholders: Placeholders, options: Mapping[str, Any], attempt: Try
) -> tuple[bool | None, int, bool]:
    """Whether items are nested, how many a text can have, whether all need the same number."""
    modality = next(iter(placeholders))
    one, two = (modality, 0), (modality, 1)

    def works(*texts: tuple[Any, ...], nested: bool = False) -> bool:
        return not attempt(Prompt(texts, nested, 0, False), placeholders, options)["error"]

    most = 3 if works(("a ", one, two, " b")) or works(("a ", one, two), nested=True) else 1
    pairs: Iterator[tuple[tuple[Any, ...], ...]] = iter(
        ((("a ", one), ("b",)), (("a ", one), ("b ", two)))
    )
    for equal, texts in zip((False, True), pairs):
        flat, nested = works(*texts), works(*texts, nested=True)
        if flat or nested:
            return (None if flat and nested else nested), most, equal
    return False, most, True
