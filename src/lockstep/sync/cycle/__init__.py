"""What begins, accompanies and ends a cycle."""
