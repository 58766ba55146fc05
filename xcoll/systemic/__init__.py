"""What breaks the whole system: cascades, loops, contagion, breakers, stress and reverse stress."""
