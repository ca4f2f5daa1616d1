"""Record which files of a source the operator of the machine specified."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    run_sql_beside(__file__)
