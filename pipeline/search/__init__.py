"""Search: the phase before the graph, which makes of a recipe with a space one with its best point.

`phase` is the whole of it; the other files are its parts.
"""
