"""Write edits into source text."""
