"""Modules that are copied into a rewritten tree beside the helpers of ``utils``; never imported by a pass."""
