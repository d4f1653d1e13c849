"""Mutation testing: how many small faults the fast tests of a folder notice."""
