"""Expand modular model definitions into self-contained files, quickly and incrementally."""

__version__ = "0.1.0"
