"""Store the attribute by which an account was matched, in the link and, until a link is recorded, in the journal."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    run_sql_beside(__file__)
