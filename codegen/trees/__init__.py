"""Trees: what kind of tree a folder is, how it is configured, and the conventions that hold in it."""
