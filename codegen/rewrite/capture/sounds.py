"""Positions of prompts with sounds: from the helper while tracing, token by token eagerly.

for row, ids in enumerate(input_ids):               if is_tracing():
    for item in range(count):                           return get_sound_prompt_positions(
        place = ids.index(image_token, start)     ->        input_ids, image_grid_thw, ...
        ...                                             )
return positions, deltas                            for row, ids in enumerate(input_ids): ...
"""

from __future__ import annotations

from codegen.rewrite.capture.pieces import Left
from codegen.rewrite.emit.edits import Edit, Insert
from codegen.rewrite.functions import Function
from codegen.rewrite.helpers import SOUND_PROMPTS
from codegen.rewrite.library import Index
from codegen.rewrite.modules import ClassInfo
from codegen.rewrite.recognise.effects import Objection
from codegen.rewrite.recognise.sounds import SoundPositions, recognise_sounds

Found = tuple[list[Edit], tuple[str, ...], str]


def sounds_edits(index: Index, cls: ClassInfo, function: Function) -> Found | Left | None:
    """Give a method that counts positions of prompts with sounds a second form."""
    found = recognise_sounds(index, cls, function)
    if isinstance(found, Objection):
        return Left(found.node, f"{SOUND_PROMPTS.name} does not stand in for it: {found.reason}")
    if found is None:
        return None
    lines = ("if is_tracing():", *(f"    {line}" for line in _call(found)))
    reason = "positions of prompts with sounds: from the ids of all tokens at once while tracing"
    return [Insert(found.anchor, lines)], (SOUND_PROMPTS.name, "is_tracing"), reason


def _call(found: SoundPositions) -> tuple[str, ...]:
    """The call of the helper, an argument a line."""
    roles = found.roles
    keywords = {f"{role}_token": text for role, text in found.tokens}
    keywords |= {"positions_per_second": found.per_second, "seconds": roles.seconds}
    keywords["attention_mask"] = roles.mask
    if found.padding:
        keywords["padding_position"] = str(found.padding)
    if found.shared:
        keywords["delimiters_share_position"] = "True"
    keywords["dtype"] = found.dtype
    arguments = [roles.ids, roles.images, roles.videos, found.merge]
    arguments += [f"{name}={text}" for name, text in keywords.items()]
    return (f"return {SOUND_PROMPTS.name}(", *(f"    {argument}," for argument in arguments), ")")
