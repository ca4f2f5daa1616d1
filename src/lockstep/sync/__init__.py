"""Carry out what the engine decides: claim, plan, journal, send, record. Nothing here decides what an account should look like."""
