"""The time at which the member of a session last proved who they are."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    run_sql_beside(__file__)
