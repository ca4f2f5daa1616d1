"""Store the groups whose members the application does not show. For these groups, nothing proves that the application kept the members."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    run_sql_beside(__file__)
