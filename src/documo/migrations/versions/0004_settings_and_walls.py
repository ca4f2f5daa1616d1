"""A PATCH may be answered as the profile says; an index for counting Admins; row-level security for more tables."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql_beside(__file__)
