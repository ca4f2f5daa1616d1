"""Store a match key with each create, so that two objects never create the same account."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql_beside(__file__)
