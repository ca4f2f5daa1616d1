"""Store in links, and in the journal until a link is recorded, the attribute by which the account was matched."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    run_sql_beside(__file__)
