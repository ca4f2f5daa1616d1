"""Count failed requests separately for each kind of request."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    run_sql_beside(__file__)
