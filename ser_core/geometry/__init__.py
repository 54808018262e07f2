"""The shape of an embedding: projections, neighbours, and how far a picture can be trusted."""
