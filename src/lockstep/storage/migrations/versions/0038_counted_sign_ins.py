"""Let the sign-in log count refused attempts with unknown names, so that it need not store each of them."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    run_sql_beside(__file__)
