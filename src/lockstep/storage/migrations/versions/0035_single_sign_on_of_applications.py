"""Store the settings of single sign-on to applications, and the keys that sign for it."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    run_sql_beside(__file__)
