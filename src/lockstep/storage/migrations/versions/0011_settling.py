"""What the journal must know to settle an operation whose answer never came."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql_beside(__file__)
