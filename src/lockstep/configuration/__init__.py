"""Read, write, compare and check configurations in the forms that people and files use. Pure; above engine, below storage."""
