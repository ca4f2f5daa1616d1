"""Remember that the last list of accounts could not be used."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    run_sql_beside(__file__)
