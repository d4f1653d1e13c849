"""Hidden rows scaled down block by block, from indices instead of sizes."""

import torch

from utils.packed import is_tracing


def scale_down_blocks(hidden_states: torch.Tensor, block_centres: torch.Tensor) -> torch.Tensor:
    """Return the mean of the four central rows of every merge block: its bilinear down-scale.

    Equal to `F.interpolate` image by image, to the last bit: the same kernel is given the same rows.
    While a graph is captured it is a plain mean, equal within rounding.

    Args:
        hidden_states: `(N, channels)` floating rows.
        block_centres: `(4, U)` integers (`get_unshuffle_indices`), on any device.

    Returns:
        `(U, channels)`, dtype of the rows.
    """
    block_centres = block_centres.to(hidden_states.device)
    if is_tracing():
        return hidden_states[block_centres].mean(0)
    if block_centres.shape[1] == 0:
        return hidden_states[block_centres[0]]
    # All blocks in a row, two patches high and wide: an image that is scaled down by two.
    places = block_centres.view(2, 2, -1).transpose(1, 2).reshape(2, -1)
    image = hidden_states[places].permute(2, 0, 1).unsqueeze(0)
    size = (1, block_centres.shape[1])
    scaled = torch.nn.functional.interpolate(image, size=size, mode="bilinear")
    return scaled[0, :, 0].t()
