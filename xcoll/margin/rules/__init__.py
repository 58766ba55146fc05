"""Margin rules: what a book has to have, each a class with the same two answers."""
