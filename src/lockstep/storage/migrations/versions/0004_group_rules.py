"""Store the rules that decide the members of dynamic groups."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql_beside(__file__)
