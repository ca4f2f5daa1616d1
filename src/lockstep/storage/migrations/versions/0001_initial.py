"""Create Lockstep's tables, and Procrastinate's beside them in the same database."""

from typing import cast

import psycopg
from alembic import op
from procrastinate.schema import SchemaManager

from lockstep.postgres.revisions import run_sql_beside

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_sql_beside(__file__)
    # The schema of the pinned version. Changes in a newer version need another revision here.
    connection = op.get_bind().connection.driver_connection
    cast("psycopg.Connection[object]", connection).execute(SchemaManager.get_schema().encode())
