"""Leave room on each page of `dirty` for a second version of every row, so that taking a lease updates no index."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0052"
down_revision = "0051"


def upgrade() -> None:
    run_sql_beside(__file__)
