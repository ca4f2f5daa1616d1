"""Single sign-on that stores nothing for unauthenticated requests, and domains that belong to the account that proved them."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_sql_beside(__file__)
