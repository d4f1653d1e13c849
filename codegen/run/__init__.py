"""A run: what a tree has, what is stale, expanding it in parallel, and what came of it."""
