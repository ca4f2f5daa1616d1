"""PostgreSQL for both products: the server (embedded or named by a URL), pools, transactions, migrations at start.

Nothing here knows a table; what is stored is decided by the packages above.
"""
