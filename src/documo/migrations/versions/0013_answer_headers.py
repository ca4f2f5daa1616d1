"""The response headers of entries in the request log."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_sql_beside(__file__)
