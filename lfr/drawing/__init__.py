"""Draws flows: as mermaid, as Graphviz' DOT, as SVG. Pure."""
