"""Collect writes into batches, and apply the rules for writes."""
