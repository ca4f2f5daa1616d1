"""Alembic's environment for both products: run the revisions on the connection that `migrate` provides.

Every revision runs in a separate transaction, so after a failure the database is at the last complete revision.
"""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
