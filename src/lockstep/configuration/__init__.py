"""Configuration as people and files write it, and what is wrong with it. Pure; above engine, below storage."""
