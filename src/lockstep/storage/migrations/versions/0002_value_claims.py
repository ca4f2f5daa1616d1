"""Store which unique value was chosen for which object, so that no other object gets it."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_sql_beside(__file__)
