"""Compare what `explain` and `impact` say with what really changes when sources are edited.

    python -m benchmarks.provenance --release 5.8.1 --lines 300
    python -m benchmarks.provenance --root . --lines 100 --kinds word name
    python -m benchmarks.provenance --release 5.8.1 --members 60

The oracle is the expander: a source is edited, everything that is built on it is expanded again, and
the lines that changed are compared with those that were said to come from what was edited: precision,
recall, and what differs. ``edits`` says which kinds of edits there are. Edits after which files cannot be
expanded, or have another shape than the edit alone can give them, are counted apart, with the reason.
"""
