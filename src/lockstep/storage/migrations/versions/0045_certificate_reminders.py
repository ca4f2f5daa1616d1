"""Store the last reminder that was sent before a signing certificate expires."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0045"
down_revision = "0044"


def upgrade() -> None:
    run_sql_beside(__file__)
