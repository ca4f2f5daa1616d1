"""Let an account choose the effect of a directory's DELETE on a user."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    run_sql_beside(__file__)
