"""The outcome of an object, and the transaction that records it."""
