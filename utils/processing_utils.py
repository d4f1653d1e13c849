"""Placeholder expansion for processors: every ``<image>`` of a prompt becomes what its item needs.

Free of torch. One pass over each text, in time linear in its length and the number of placeholders.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypedDict

#: A text with fewer candidates than one in so many characters is searched by the first character of the
#: placeholder, which is many times as fast as a search for all of it.
_SPARSE = 256


class ReplacementOffset(TypedDict):
    """Where one placeholder stood and what stands there now; spans count characters.

    ``span`` is (start, end) of the placeholder in the text as given, ``new_span`` that of the whole
    replacement in the expanded text.
    """

    type: str
    span: tuple[int, int]
    new_span: tuple[int, int]
    text: str
    replacement: str


class _Modality(NamedTuple):
    """A placeholder and what its occurrences become, in the order of the batch.

    ``forms`` are all ways in which it may be written, ``token`` is the first.
    """

    name: str
    token: str
    replacements: Sequence[str]
    forms: tuple[str, ...]


def get_text_with_replacements(
    text: Sequence[str],
    image_token: str | Sequence[str] | None = None,
    images_replacements: Iterable[str] | None = None,
    video_token: str | Sequence[str] | None = None,
    videos_replacements: Iterable[str] | None = None,
    audio_token: str | Sequence[str] | None = None,
    audio_replacements: Iterable[str] | None = None,
    return_replacement_offsets: bool = False,
    *,
    allow_surplus: bool = False,
) -> tuple[list[str], list[list[ReplacementOffset]]]:
    """Replace the placeholders of a batch of texts.

    The k-th occurrence of a modality's placeholder, counted over all texts in order, becomes the k-th
    replacement of that modality. Where two placeholders match at one place, image comes before video
    and video before audio. Replacements are not searched again. A modality without replacements (None
    or empty) keeps its placeholders.

    Args:
        text: texts of the batch; neither the sequence nor a text in it is changed.
        image_token, video_token, audio_token: the placeholders; several for one modality are forms of
            one placeholder, such as one with its start and end tokens and one without, the longer first.
        images_replacements, videos_replacements, audio_replacements: one string per placeholder.
        return_replacement_offsets: also tell what was replaced where.
        allow_surplus: drop replacements that find no placeholder instead of refusing them.

    Returns:
        The new texts, and per text the offsets of its replacements in order (an empty list, without
        entries for the texts, unless asked for).

    Raises:
        ValueError: placeholders and replacements differ in number, replacements have no placeholder, or
            a placeholder is empty.
        TypeError, AttributeError: ``text`` is no sequence of strings.
    """
    if isinstance(text, str):
        raise TypeError("text must be a sequence of strings, not a single string")
    modalities: list[_Modality] = []
    if images_replacements is not None:
        modalities += _modality("image", image_token, images_replacements)
    if videos_replacements is not None:
        modalities += _modality("video", video_token, videos_replacements)
    if audio_replacements is not None:
        modalities += _modality("audio", audio_token, audio_replacements)
    for number, content in enumerate(text):
        if not isinstance(content, str):
            _refuse(content, number, modalities)
    if not modalities:
        return list(text), [[] for _ in text] if return_replacement_offsets else []
    is_one = len(modalities) == 1 and len(modalities[0].forms) == 1
    expand = _expand_one if is_one else _expand
    return expand(text, modalities, return_replacement_offsets, allow_surplus)


def _refuse(content: Any, number: int, modalities: Sequence[_Modality]) -> None:
    """Raise what a loop over placeholders would, which processors and their callers may count on."""
    if modalities:
        _ = modalities[0].token in content  # a TypeError of None
        _ = content.replace  # an AttributeError of a list or a tuple
    raise TypeError(f"text {number} is no string but {type(content).__name__}")


def _modality(
    name: str, token: str | Sequence[str] | None, values: Iterable[str]
) -> tuple[_Modality, ...]:
    """The modality if it takes part: it has replacements."""
    replacements = values if isinstance(values, (list, tuple)) else list(values)
    if not replacements:
        return ()
    forms = () if token is None else (token,) if isinstance(token, str) else tuple(token)
    if not forms or not all(forms):
        what = "is empty" if forms else "is not given"
        raise ValueError(
            f"{len(replacements)} {name} replacements, but the {name} placeholder {what}"
        )
    return (_Modality(name, forms[0], replacements, forms),)


def _expand_one(
    text: Sequence[str], modalities: Sequence[_Modality], wanted: bool, allow_surplus: bool
) -> tuple[list[str], list[list[ReplacementOffset]]]:
    """One placeholder: split at it, join with the replacements."""
    modality = modalities[0]
    token, replacements = modality.token, modality.replacements
    texts: list[str] = []
    offsets: list[list[ReplacementOffset]] = []
    used = 0
    for number, content in enumerate(text):
        parts = _split_at(content, token) if len(content) > _SPARSE else content.split(token)
        count = len(parts) - 1
        if not count:
            texts.append(content)
            if wanted:
                offsets.append([])
            continue
        own = replacements[used : used + count]
        if len(own) < count:
            raise _too_few(modality, text, number)
        used += count
        pieces = [""] * (2 * count + 1)
        pieces[::2], pieces[1::2] = parts, own
        texts.append("".join(pieces))
        if wanted:
            offsets.append(_offsets(parts, [modality.name] * count, [token] * count, own))
    if used < len(replacements) and not allow_surplus:
        raise _too_many(modality, text, used)
    return texts, offsets


def _split_at(content: str, token: str) -> list[str]:
    """``content.split(token)``, faster where few characters could begin the placeholder."""
    first, budget = token[0], len(content) // _SPARSE
    parts = []
    done = 0
    at = content.find(first)
    while at >= 0:
        budget -= 1
        if budget < 0:
            return content.split(token)
        if content.startswith(token, at):
            parts.append(content[done:at])
            done = at = at + len(token)
        else:
            at += 1
        at = content.find(first, at)
    parts.append(content[done:])
    return parts


def _expand(
    text: Sequence[str], modalities: Sequence[_Modality], wanted: bool, allow_surplus: bool
) -> tuple[list[str], list[list[ReplacementOffset]]]:
    """Several placeholders: one regular expression finds them all in a single pass."""
    by_token: dict[str, _Modality] = {}
    for modality in modalities:
        for form in modality.forms:
            by_token.setdefault(form, modality)
    splitter = re.compile(f"({'|'.join(map(re.escape, by_token))})")
    rests = {modality.name: iter(modality.replacements) for modality in modalities}
    iterators = {token: rests[modality.name] for token, modality in by_token.items()}
    texts: list[str] = []
    offsets: list[list[ReplacementOffset]] = []
    for number, content in enumerate(text):
        pieces = splitter.split(content)
        tokens = pieces[1::2]
        try:
            own = [next(iterators[token]) for token in tokens]
        except StopIteration:
            raise _first_too_few(by_token, text, number, splitter) from None
        pieces[1::2] = own
        texts.append("".join(pieces))
        if wanted:
            names = [by_token[token].name for token in tokens]
            offsets.append(_offsets(pieces[::2], names, tokens, own))
    if not allow_surplus:
        _refuse_surplus(modalities, by_token, text, iterators, splitter)
    return texts, offsets


def _offsets(
    parts: Sequence[str], names: Sequence[str], tokens: Sequence[str], own: Sequence[str]
) -> list[ReplacementOffset]:
    """Running sums over what stands between the placeholders."""
    found: list[ReplacementOffset] = []
    old = new = 0
    for part, name, token, replacement in zip(parts, names, tokens, own):
        old += len(part)
        new += len(part)
        end, new_end = old + len(token), new + len(replacement)
        found.append(
            {
                "type": name,
                "span": (old, end),
                "new_span": (new, new_end),
                "text": token,
                "replacement": replacement,
            }
        )
        old, new = end, new_end
    return found


def _too_few(modality: _Modality, text: Sequence[str], number: int, total: int = -1) -> ValueError:
    total = sum(content.count(modality.token) for content in text) if total < 0 else total
    return _mismatch(modality, total, f"text {number} has the first placeholder without one")


def _too_many(modality: _Modality, text: Sequence[str], total: int) -> ValueError:
    found = (n for n, content in enumerate(text) if any(form in content for form in modality.forms))
    last = max(found, default=None)
    where = "no text has a placeholder" if last is None else f"text {last} has the last placeholder"
    return _mismatch(modality, total, where)


def _mismatch(modality: _Modality, total: int, where: str) -> ValueError:
    return ValueError(
        f"placeholders {modality.token!r} in the texts: {total}, {modality.name} replacements: "
        f"{len(modality.replacements)}; {where}"
    )


def _matches(text: Sequence[str], splitter: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """Number of the text and placeholder, of every match."""
    for number, content in enumerate(text):
        yield from ((number, match[0]) for match in splitter.finditer(content))


def _first_too_few(
    by_token: dict[str, _Modality], text: Sequence[str], number: int, splitter: re.Pattern[str]
) -> ValueError:
    """The error for the first placeholder, in the order of the texts, that has no replacement."""
    totals = {modality.name: 0 for modality in by_token.values()}
    short: _Modality | None = None
    for at, token in _matches(text, splitter):
        modality = by_token[token]
        totals[modality.name] += 1
        if short is None and at <= number and totals[modality.name] > len(modality.replacements):
            short = modality
    assert short is not None
    return _too_few(short, text, number, totals[short.name])


def _refuse_surplus(
    modalities: Sequence[_Modality],
    by_token: dict[str, _Modality],
    text: Sequence[str],
    iterators: dict[str, Iterator[str]],
    splitter: re.Pattern[str],
) -> None:
    for modality in modalities:
        if by_token[modality.token] is not modality:
            raise ValueError(
                f"{modality.name} and {by_token[modality.token].name} have one placeholder, "
                f"{modality.token!r}: which items its occurrences stand for cannot be told"
            )
        rest = sum(1 for _ in iterators[modality.token])
        if rest:
            raise _too_many(modality, text, len(modality.replacements) - rest)


def placeholders_in(text: str, *tokens: str) -> list[str]:
    """The placeholders that stand in a text, in its order; at one place the first of the given ones."""
    return re.findall("|".join(map(re.escape, tokens)), text)


def order_by_form(made: Sequence[Any], text: str, *forms: str) -> list[Any]:
    """What was made for the placeholders of a text, in the order in which they stand.

    It was made for those of the first form, then for those of the second, and so on.
    """
    found = placeholders_in(text, *forms)
    places = sorted(range(len(found)), key=lambda place: forms.index(found[place]))
    ordered = dict(zip(places, made))
    return [ordered[place] for place in sorted(ordered)]


def placeholder_positions(text: str, token: str) -> list[int]:
    """Where the placeholders of a text begin."""
    return [match.start() for match in re.finditer(re.escape(token), text)]


def next_item(items: Iterator[Any], placeholder: str) -> Any:
    """The next of what there is for the placeholders of a batch.

    Raises:
        ValueError: none is left. A bare ``StopIteration`` would end a loop over batches without a word.
    """
    for item in items:
        return item
    raise ValueError(
        f"there are more placeholders {placeholder!r} in the texts than items for them"
    )


def pop_offsets_option(keywords: dict[str, Any]) -> bool:
    """Take ``return_text_replacement_offsets`` out of the keywords of a processor's call.

    It may stand among them or in their ``text_kwargs``, which are the caller's and stay as they are.
    """
    name = "return_text_replacement_offsets"
    nested = keywords.get("text_kwargs")
    inner = False
    if isinstance(nested, dict) and name in nested:
        keywords["text_kwargs"] = {key: value for key, value in nested.items() if key != name}
        inner = nested[name]
    return bool(keywords.pop(name, inner))


def add_replacement_offsets(batch: Any, offsets: list[list[ReplacementOffset]] | None) -> Any:
    """A processor's result with the offsets of its replacements, one list for each text; None adds nothing.

    Args:
        batch: what the processor returns, with ``input_ids``.
        offsets: from :func:`get_text_with_replacements`; empty where nothing was to be replaced.
    """
    if offsets is not None:
        batch["text_replacement_offsets"] = offsets or [[] for _ in batch.get("input_ids", ())]
    return batch
