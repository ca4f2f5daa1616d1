"""Store the responses to API requests with an idempotency key."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    run_sql_beside(__file__)
