"""PostgreSQL for both products: the server (embedded or named by a URL), pools, transactions, migrations at start.

Nothing here knows a table; the packages above decide what is stored.
"""
