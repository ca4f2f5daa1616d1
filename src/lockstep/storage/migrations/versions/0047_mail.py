"""Store the mail server, and the messages to send through it."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0047"
down_revision = "0046"


def upgrade() -> None:
    run_sql_beside(__file__)
