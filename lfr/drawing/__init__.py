"""Flows as pictures: mermaid, Graphviz' DOT, SVG. Pure."""
