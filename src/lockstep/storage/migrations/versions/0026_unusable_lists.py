"""Store whether the last list of accounts could not be used. The next full cycle then tries to list the accounts only once."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    run_sql_beside(__file__)
