"""Store previews of a whole application: what provisioning would do to each person and group."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0054"
down_revision = "0053"


def upgrade() -> None:
    run_sql_beside(__file__)
