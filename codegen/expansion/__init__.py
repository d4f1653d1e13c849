"""The engine: one parsed definition and its parents in, unformatted generated files out.

Read :mod:`codegen.expansion.expand` first; it names the steps in their order. Nothing in here
touches the disk.
"""
