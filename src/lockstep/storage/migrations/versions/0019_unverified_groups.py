"""Store the groups whose members the application does not show, so that nothing proves that the members were kept."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    run_sql_beside(__file__)
