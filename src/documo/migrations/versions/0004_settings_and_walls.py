"""Let an account's profile decide whether the response to a PATCH contains the resource. Add an index for counting Admins, and row-level
security for more tables.
"""

from lockstep.postgres.revisions import run_sql_beside

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql_beside(__file__)
