"""Speed against peers, each pair in the same run: `make bench`."""
