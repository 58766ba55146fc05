"""A user's own data: files that are checked and imported, bars that are fetched from exchanges."""
