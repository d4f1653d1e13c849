"""Text-level view of Python source: tokens, statements, classes, functions and imports as slices.

Nothing in here knows about models or definitions. Structure comes from :mod:`ast` (fast, C), and
everything that is printed again is a slice of the original text, so comments and layout survive.
"""
