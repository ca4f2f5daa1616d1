"""Store the method by which requests to an application are authenticated."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    run_sql_beside(__file__)
