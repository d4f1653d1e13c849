"""Second forms for constructs that prevent whole-graph capture; one file per rule."""
