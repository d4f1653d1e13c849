from torch import nn

from ...modeling_vision_utils import get_vision_cu_seqlens


class TinyEncoder(nn.Module):
    def forward(self, rows: torch.Tensor, cu_seqlens: torch.Tensor, grid_thw: torch.Tensor | None = None):
        for layer in self.layers:
            rows = layer(rows, cu_seqlens)
        return rows


class TinyTower(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.encoder = TinyEncoder(config)

    def forward(self, pixels: torch.Tensor, cu_seqlens: torch.Tensor, grid_thw: torch.Tensor | None = None, **kwargs):
        return self.encoder(self.embed(pixels), cu_seqlens=cu_seqlens, grid_thw=grid_thw, **kwargs)


class TinyModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.tower = TinyTower(config)

    def get_image_features(self, pixels, image_grid_thw, **kwargs):
        cu_seqlens = get_vision_cu_seqlens(image_grid_thw)
        return self.tower(
            pixels=pixels,
            cu_seqlens=cu_seqlens,
            grid_thw=image_grid_thw,
            **kwargs,
        )
# output
from torch import nn

from ...modeling_vision_utils import get_vision_cu_seqlens
from ...precomputed_inputs import encoder_inputs


class TinyEncoder(nn.Module):
    def forward(
        self,
        rows: torch.Tensor,
        cu_seqlens: torch.Tensor | None = None,
        grid_thw: torch.Tensor | None = None,
    ):
        if cu_seqlens is None:
            cu_seqlens = get_vision_cu_seqlens(grid_thw)
        for layer in self.layers:
            rows = layer(rows, cu_seqlens)
        return rows


class TinyTower(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.encoder = TinyEncoder(config)

    def forward(
        self,
        pixels: torch.Tensor,
        cu_seqlens: torch.Tensor | None = None,
        grid_thw: torch.Tensor | None = None,
        **kwargs,
    ):
        return self.encoder(self.embed(pixels), cu_seqlens=cu_seqlens, grid_thw=grid_thw, **kwargs)


class TinyModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.tower = TinyTower(config)

    def get_image_features(self, pixels, image_grid_thw, **kwargs):
        return self.tower(
            pixels=pixels,
            grid_thw=image_grid_thw,
            **encoder_inputs(kwargs, "image"),
        )
