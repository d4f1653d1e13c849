"""Fold a class of a project's definition with its parent so that it means what Python means.

``folding`` names the steps; ``members`` are the statements of the class bodies, ``sites`` the places
that reach for the parent, ``inline`` and ``replaced`` put the parent's statements in place of a call,
``bases`` and ``layout`` keep the resolution order and the order of a body, ``apart`` leaves the parent
a class of its own where no fold can keep the meaning.
"""
