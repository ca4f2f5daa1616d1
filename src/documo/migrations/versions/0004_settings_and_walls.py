"""The response to a PATCH may follow the profile; an index counts Admins; more tables have row-level security."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql_beside(__file__)
