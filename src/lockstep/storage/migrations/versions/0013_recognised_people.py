"""Let people be found by any of their names, and recognise people whose key in the source has changed, so that they keep their accounts."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_sql_beside(__file__)
