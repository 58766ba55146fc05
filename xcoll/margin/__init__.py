"""Portfolio margin: instruments, scenarios, requirements, mixed accounts."""
