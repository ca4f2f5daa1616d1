"""By what a create that is under way would be found, so that nobody else is given the same."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql_beside(__file__)
