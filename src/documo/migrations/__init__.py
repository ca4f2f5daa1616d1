"""Documo's revisions, applied at start by `lockstep.postgres.migrate`."""
