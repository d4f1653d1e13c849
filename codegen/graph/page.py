"""The graph as one page that needs nothing else: no network, no library."""

from __future__ import annotations

import json

from codegen.graph.build import Graph, as_data
from codegen.output.render import render


def as_html(graph: Graph, title: str) -> str:
    """The page; what could end the element that holds the data is escaped."""
    data = json.dumps(as_data(graph), separators=(",", ":"))
    safe = data.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    shown = title.replace("&", "&amp;").replace("<", "&lt;")
    return render("graph.html.j2", title=shown, data=safe)
