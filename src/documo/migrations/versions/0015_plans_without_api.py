"""Plans without access to the API."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    run_sql_beside(__file__)
