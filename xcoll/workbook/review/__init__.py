"""What a reviewer holds a report to: where its numbers come from, and what is signed."""
