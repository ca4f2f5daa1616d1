"""Let people of the directory have passkeys, as administrators do."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0050"
down_revision = "0049"


def upgrade() -> None:
    run_sql_beside(__file__)
