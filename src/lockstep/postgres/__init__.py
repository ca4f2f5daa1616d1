"""PostgreSQL for both products: the server (embedded or named by a URL), pools, transactions, and migrations at start.

This package knows no tables; the packages above it decide what is stored.
"""
