"""An index for approved writes, which are looked up before they are sent."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_sql_beside(__file__)
