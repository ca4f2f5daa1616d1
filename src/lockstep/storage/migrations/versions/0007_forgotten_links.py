"""Let a link be forgotten without deleting it. Its object is matched again; until then, the link still leads to a leaver's account."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_sql_beside(__file__)
