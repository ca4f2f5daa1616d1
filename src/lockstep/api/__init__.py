"""Doors for machines over HTTP."""
