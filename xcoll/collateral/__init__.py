"""What may be pledged, on which venue, at which price: universe, venues, haircuts, thresholds."""
