"""Count failed sign-ins by the address of the client, too."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    run_sql_beside(__file__)
