"""Values that an application returned differently from what it was sent, and attributes that it does not keep."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    run_sql_beside(__file__)
