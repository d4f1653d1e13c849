"""Probe evaluation: run early code on small concrete grids to see what it computes.

An idiom is recognised by its values, not by its spelling: the interpreter executes a method on a few
grids, every value that depends on weights or hidden states is opaque ("late"), and what remains
concrete is compared with the definitions in :mod:`codegen.rewrite.probe.reference`.
"""
