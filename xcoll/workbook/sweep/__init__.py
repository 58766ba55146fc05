"""Grids of parameters, paths and books: the same bytes in one process or on many."""
