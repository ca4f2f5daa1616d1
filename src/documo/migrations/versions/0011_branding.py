"""How an account's pages look, and where they and its API are served."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql_beside(__file__)
