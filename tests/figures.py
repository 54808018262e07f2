"""What is asked of every figure."""

import json
import re

import plotly.graph_objects as go


def clear(figure: go.Figure) -> None:
    """Lies on a light and on a dark page: no background, and no black or white but on a colour of its own."""
    assert (figure.layout.paper_bgcolor, figure.layout.plot_bgcolor) == ("rgba(0,0,0,0)", "rgba(0,0,0,0)")
    parts = figure.to_plotly_json()
    parts["layout"] = {name: part for name, part in parts["layout"].items() if name not in {"template", "annotations"}}
    assert not re.search(r'"#(fff|000)(fff|000)?"|"(white|black)"', json.dumps(parts, default=str))
    assert figure.layout.height
