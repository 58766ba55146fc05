"""European options: Black (1976) prices, implied volatility, volatility surfaces."""
