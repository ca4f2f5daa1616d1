"""The webhook, and the audience of each message."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0051"
down_revision = "0050"


def upgrade() -> None:
    run_sql_beside(__file__)
