"""Boulder: Pebble without the gain, to see what the gain is worth."""

from ..pebble.modeling_pebble import PebbleAttention


class BoulderAttention(PebbleAttention):
    def __init__(self, config, layer_idx: int):
        super().__init__(config, layer_idx)
        self.gain = 1.0


__all__ = ["BoulderAttention"]
