"""Volatility, correlation, tail risk and the tests of their forecasts."""
