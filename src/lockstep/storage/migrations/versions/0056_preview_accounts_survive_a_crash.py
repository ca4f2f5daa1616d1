"""If the database crashes, keep the accounts that were listed for a preview. Without them, the preview would show everyone as new."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0056"
down_revision = "0055"


def upgrade() -> None:
    run_sql_beside(__file__)
