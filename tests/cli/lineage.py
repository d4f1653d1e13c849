"""A family of three models in which every way for a line to get into a file occurs."""

ALPHA = '''\
"""Alpha, the root of the family."""

import math
from dataclasses import dataclass


def scaled(states, factor=0.5):
    return states * factor


class AlphaConfig:
    model_type = "alpha"


@dataclass
class AlphaOutput:
    """What AlphaModel returns."""

    states: list


class AlphaAttention:
    """Attention of AlphaModel."""

    heads = 4

    def __init__(self, config):
        self.width = config.width
        self.depth = math.ceil(config.width / 2)

    def forward(self, states):
        # AlphaAttention scales first.
        states = scaled(states)
        return states * self.width


class AlphaModel:
    def __init__(self, config):
        self.attention = AlphaAttention(config)

    def forward(self, states):
        return AlphaOutput(self.attention.forward(states))


__all__ = ["AlphaConfig", "AlphaModel"]
'''
BETA = '''\
"""Beta is built from alpha."""

import json

from ..alpha.modeling_alpha import AlphaAttention, AlphaModel


class BetaAttention(AlphaAttention):
    def __init__(self, config):
        super().__init__(config)
        self.depth = 3
        self.name = json.dumps(config.name)


class BetaModel(AlphaModel):
    pass


__all__ = ["BetaModel"]
'''
GAMMA = '''\
"""Gamma is built from beta."""

from ..beta.modeling_beta import BetaModel


class GammaModel(BetaModel):
    def forward(self, states):
        return super().forward(states)
'''
