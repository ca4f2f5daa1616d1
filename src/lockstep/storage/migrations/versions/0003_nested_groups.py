"""Store which groups contain which groups, for jobs that include the members of nested groups."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_sql_beside(__file__)
