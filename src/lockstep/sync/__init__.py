"""Doing what the engine decides: claim, plan, journal, send, record. Nothing here decides what should be true."""
