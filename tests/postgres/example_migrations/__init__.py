"""A package of revisions to test migrations with."""
