"""Store for each application until when no requests are sent, and the reason for the pause."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_sql_beside(__file__)
