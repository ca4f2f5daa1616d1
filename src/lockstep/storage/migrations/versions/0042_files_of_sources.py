"""Store which files of a source the operator of the machine specified. All other files must be in the folder for the files of sources."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    run_sql_beside(__file__)
