"""Store the webhook, and for each message whether it goes to the application's address, to the organisation or to the webhook."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0051"
down_revision = "0050"


def upgrade() -> None:
    run_sql_beside(__file__)
