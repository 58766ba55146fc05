"""Imported by the server of the fast engine: loads what the kernels will need."""

import os

from xcoll.workbook import fork

__all__ = []

fork.load(os.environ[fork.MODULES].split(","))
