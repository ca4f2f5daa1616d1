"""The sign-in log counts refused attempts of nobody in particular instead of writing each down."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    run_sql_beside(__file__)
