"""An index for the rejected writes, which status counts."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_sql_beside(__file__)
