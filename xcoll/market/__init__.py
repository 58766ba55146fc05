"""Prices: their container, faults and returns, where they came from, and simulated ones."""
