"""Expansion with the meaning of Python, for projects: names, needs and order by scopes, not by text."""
