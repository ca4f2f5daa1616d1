"""Store background work that continues after its request was answered."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    run_sql_beside(__file__)
