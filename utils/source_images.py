"""Prompts with source images whose grids also describe the images that are to be generated from them.

The grids of a prompt are those of its sources, each of which stands between a start and an end token, and
behind them those of its targets, which have no tokens yet. Which grid is a source's can only be told by
counting tokens; while a graph is captured that number cannot be read.
"""

from typing import Any

import torch

from utils.packed import is_tracing
from utils.text_positions import get_text_positions


def take_first_rows(rows: torch.Tensor, sizes: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Return the first rows of each group, as many as `counts` says, or all of a smaller group.

    While a graph is captured their number cannot be read: there all others follow as rows of zeros, which
    are images of no size, of which nothing comes.

    Args:
        rows: `(num_rows, columns)` integers, group by group.
        sizes: `(num_groups,)` integers, the rows of each group.
        counts: `(num_groups,)` integers.
    """
    sizes, counts = sizes.to(rows.device), counts.to(rows.device)
    last = sizes.cumsum(0)
    number = torch.arange(rows.shape[0], device=rows.device)
    group = (number.unsqueeze(1) >= last).sum(1)
    is_first = number - (last - sizes)[group] < counts[group]
    if not is_tracing():
        return rows[is_first]
    order = torch.argsort((~is_first).long(), stable=True)
    return (rows * is_first.unsqueeze(1))[order]


def sizes_of_item(grid: torch.Tensor, number: int, rows: torch.Tensor) -> list[int]:
    """Return frames, rows and columns of an image whose parts depend on none of their neighbours.

    While a graph is captured all images are one piece (see `split_by_item`), as frames of one patch each.

    Args:
        grid: `(num_images, 3)` integers.
        number: of the image.
        rows: `(num_patches, ...)`, its patches, or in a graph those of all.
    """
    if is_tracing():
        return [rows.shape[0], 1, 1]
    sizes: list[int] = grid[number].tolist()
    return sizes


def refuse_in_graph(condition: torch.Tensor | bool, message: str) -> None:
    """Refuse values for which a condition holds, where a graph cannot branch on it.

    Raises:
        ValueError: the condition is known to hold while the graph is captured.
        RuntimeError: it holds when the graph runs.
    """
    if isinstance(condition, torch.Tensor):
        torch._assert_async(~condition, message)
    elif condition:
        raise ValueError(message)


class TargetPositions:
    """Positions of the tokens that are to be generated for prompts, `(batch, 3, longest)`.

    A graph keeps what they follow from; they are counted when some of them are asked for, outside of it.
    """

    def __init__(
        self,
        start: torch.Tensor,
        sources: torch.Tensor,
        grid: torch.Tensor,
        sizes: torch.Tensor | None,
    ) -> None:
        self.start = start
        self.sources = sources
        self.grid = grid
        self.sizes = sizes

    def __getitem__(self, key: Any) -> torch.Tensor:
        """A part of the positions.

        Raises:
            RuntimeError: a graph is being captured, which cannot know how many there are.
        """
        if is_tracing():
            raise RuntimeError(
                "positions of tokens to be generated cannot be counted in a graph: give position_ids"
            )
        return self.count()[key]

    def count(self) -> torch.Tensor:
        """Count the positions of all: target by target, the last first, and of a token behind them.

        Prompts without a grid have none, and are left out.
        """
        if self.sizes is None:
            grids = [self.grid] * self.start.shape[0]
        else:
            grids = list(torch.split(self.grid, self.sizes.tolist()))
        found = [
            _count_targets(start, rows[sources:].tolist())
            for start, sources, rows in zip(self.start.tolist(), self.sources.tolist(), grids)
            if len(rows)
        ]
        longest = max(positions.shape[1] for positions in found)
        padded = [
            torch.cat([item, item[:, -1:].expand(-1, longest - item.shape[1])], dim=1)
            for item in found
        ]
        return torch.stack(padded).to(self.start.device)


def _count_targets(start: int, grids: list[list[int]]) -> torch.Tensor:
    pieces = []
    for _, rows, columns in reversed(grids):
        row = torch.arange(rows).repeat_interleave(columns)
        pieces.append(torch.stack([row * 0, row, torch.arange(columns).repeat(rows)]) + start)
        start += max(rows, columns)
    pieces.append(torch.full((3, 1), start))
    return torch.cat(pieces, dim=1)


def get_source_positions(
    input_ids: torch.Tensor,
    image_grid_thw: torch.Tensor | None,
    images_per_sample: torch.Tensor | None,
    *,
    start_token: int,
    end_token: int,
    attention_mask: torch.Tensor | None = None,
    padding_position: int = 0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the positions of all tokens of prompts with source images along time, rows and columns.

    Args:
        input_ids: `(batch, L)`; a source image stands between a start and an end token, which are text. A
            start without an end opens a target, and is text, too.
        image_grid_thw: `(num_grids, 3)` integers, the grids of sources and targets, prompt by prompt,
            counted in tokens; None if all is text.
        images_per_sample: `(batch,)` integers, the grids of each prompt; None if all are those of every prompt.
        start_token: id of the token in front of an image.
        end_token: id of the token behind it.
        attention_mask: `(batch, L)`, 1 for what is no padding; one of another width does not count.
        padding_position: of padding.

    Returns:
        `position_ids` `(3, batch, L)`, and zeros `(batch, 1)`, both of the dtype of `input_ids`.

    Raises:
        ValueError: images that are not as long as their grids; not while a graph is captured.
    """
    kept, starts, ends = _marks(input_ids, start_token, end_token, attention_mask)
    types, sources = torch.zeros_like(starts), None
    if image_grid_thw is not None:
        counts, opened = ends.sum(1), starts.cumsum(1) - starts
        grids, numbers = image_grid_thw, images_per_sample
        if numbers is None:
            grids = grids.repeat(input_ids.shape[0], 1)
            numbers = torch.full_like(counts, image_grid_thw.shape[0])
        counts = torch.minimum(counts, numbers.to(counts.device))
        inside = (opened > ends.cumsum(1)) & (opened <= counts.unsqueeze(1))
        types = (inside & kept).long()
        sources = take_first_rows(grids, numbers, counts)
    positions, _ = get_text_positions(types, sources, attention_mask=kept, dtype=input_ids.dtype)
    return positions.masked_fill(~kept, padding_position), torch.zeros_like(input_ids[:, :1])


def keep_targets(
    position_ids: torch.Tensor,
    input_ids: torch.Tensor,
    image_grid_thw: torch.Tensor | None,
    images_per_sample: torch.Tensor | None,
    *,
    end_token: int,
    attention_mask: torch.Tensor | None = None,
) -> TargetPositions | None:
    """Keep what the positions of targets follow from; None where there are no grids.

    Args:
        position_ids: `(3, batch, L)`, of the prompts, which end with text; the rest is as for `get_source_positions`.
    """
    if image_grid_thw is None or image_grid_thw.shape[0] == 0:
        return None
    kept, _, ends = _marks(input_ids, end_token, end_token, attention_mask)
    place = torch.arange(input_ids.shape[1], device=input_ids.device)
    last = torch.where(kept, place, 0).amax(1, keepdim=True)
    start = position_ids[0].gather(1, last).flatten() + 1
    return TargetPositions(start, ends.sum(1), image_grid_thw, images_per_sample)


def _marks(
    input_ids: torch.Tensor, start_token: int, end_token: int, attention_mask: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What is no padding, as booleans; the tokens in front of images and behind them, as 0 and 1."""
    kept = torch.ones_like(input_ids, dtype=torch.bool)
    if attention_mask is not None and attention_mask.shape == input_ids.shape:
        kept = attention_mask.to(input_ids.device) == 1
    starts, ends = (((input_ids == token) & kept).long() for token in (start_token, end_token))
    return kept, starts, ends
