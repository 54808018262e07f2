"""Results to plotly figures; nothing here computes, shows or saves."""
