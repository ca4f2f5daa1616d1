"""Keep the accounts that were listed for a preview if the database crashes. Without them, the preview would show everyone as new."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0056"
down_revision = "0055"


def upgrade() -> None:
    run_sql_beside(__file__)
