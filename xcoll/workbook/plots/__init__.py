"""Figures, one module an area, over one style sheet."""
