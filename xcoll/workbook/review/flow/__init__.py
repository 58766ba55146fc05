"""What each value of a notebook rests on, read from its code."""
