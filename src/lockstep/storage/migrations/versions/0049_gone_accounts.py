"""Store in an ended link since when its account is gone, so that Lockstep searches for the account again."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0049"
down_revision = "0047"


def upgrade() -> None:
    run_sql_beside(__file__)
