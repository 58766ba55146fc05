"""How near the system is to feeding on itself, who is close to it, and what the books hold."""
