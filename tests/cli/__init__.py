"""The command line on small invented trees: what it says, writes and returns."""
