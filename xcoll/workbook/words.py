"""Words that a reader meets in the place of names in the code: heads of columns, methods, checks.

One place for all tables and figures.  What is not listed is shown with spaces for underscores.
"""

__all__ = ["HEADS", "NAMES", "head", "name"]

HEADS: dict[str, str] = {}

NAMES: dict[str, str] = {}


def head(column: str) -> str:
    """Head of the column called `column` in the code."""
    return HEADS.get(column, column.replace("_", " "))


def name(text: str) -> str:
    """What a method, a check or an outcome that is called `text` in the code is called."""
    return NAMES.get(text, text)
