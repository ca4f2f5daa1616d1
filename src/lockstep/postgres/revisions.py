"""Support for revision modules: eight lines each, with the SQL in a file of the same name beside the module.

    \"\"\"People, groups, assignments.\"\"\"

    from lockstep.postgres.revisions import run_sql_beside

    revision = "0002"
    down_revision = "0001"

    def upgrade() -> None:
        run_sql_beside(__file__)

Files are named after their revision (`0002_directory.py`, `0002_directory.sql`). Numbers have no gaps; there are no downgrades.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import psycopg
from alembic import op


def run_sql_beside(module_file: str) -> None:
    """Execute all statements of the SQL file beside *module_file* in the revision's transaction."""
    statements = Path(module_file).with_suffix(".sql").read_bytes()
    connection = op.get_bind().connection.driver_connection
    # Not through SQLAlchemy, which would treat % and : in the text as parameters.
    cast("psycopg.Connection[object]", connection).execute(statements)
