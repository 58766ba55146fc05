"""Stress scenarios: a library of what happens from outside, and the episodes that it makes."""

from xcoll.systemic.stress.compilation import episode, left_out, origins
from xcoll.systemic.stress.facts import Facts
from xcoll.systemic.stress.library import ITSELF, SEVERITIES, Library, Scenario, parse
from xcoll.systemic.stress.words import table

__all__ = [
    "ITSELF",
    "SEVERITIES",
    "Facts",
    "Library",
    "Scenario",
    "episode",
    "left_out",
    "origins",
    "parse",
    "table",
]
