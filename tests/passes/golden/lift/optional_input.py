from torch import nn

from ...modeling_vision_utils import get_vision_cu_seqlens


class TinyEncoder(nn.Module):
    def forward(self, rows: torch.Tensor, grid_thw: torch.Tensor, **kwargs) -> torch.Tensor:
        r"""
        grid_thw (`torch.LongTensor` of shape `(num_images, 3)`):
            Frames, rows and columns of every image.
        """
        cu_seqlens = get_vision_cu_seqlens(grid_thw)
        for layer in self.layers:
            rows = layer(rows, cu_seqlens=cu_seqlens, **kwargs)
        return rows
# output
from torch import nn

from ...modeling_vision_utils import get_vision_cu_seqlens


class TinyEncoder(nn.Module):
    def forward(
        self,
        rows: torch.Tensor,
        grid_thw: torch.Tensor,
        cu_seqlens: torch.Tensor | None = None,
        **kwargs,
    ) -> torch.Tensor:
        r"""
        grid_thw (`torch.LongTensor` of shape `(num_images, 3)`):
            Frames, rows and columns of every image.
        cu_seqlens (`torch.Tensor` of shape `(num_segments + 1,)`, *optional*):
            Boundaries of the attention segments. Computed from the grid or the lengths if not given.
        """
        if cu_seqlens is None:
            cu_seqlens = get_vision_cu_seqlens(grid_thw)
        for layer in self.layers:
            rows = layer(rows, cu_seqlens=cu_seqlens, **kwargs)
        return rows
