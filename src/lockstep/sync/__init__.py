"""Carry out what the engine decides: claim, plan, journal, send, record. The content of an account is never decided here."""
