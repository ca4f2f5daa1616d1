"""Single sign-on that stores nothing for unauthenticated requests, and email domains that belong to the account that verified them."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_sql_beside(__file__)
