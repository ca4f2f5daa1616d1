"""PostgreSQL for both products: the server (our own or a named one), pools, transactions, migrations at start.

Nothing here knows a table: what is stored is the business of the rooms above.
"""
