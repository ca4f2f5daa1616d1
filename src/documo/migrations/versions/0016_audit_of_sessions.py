"""Audit log entries for ended sessions and for trusted issuers."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    run_sql_beside(__file__)
