"""Single sign-on: an account's identity provider, requests in progress, used assertions, and the results of sign-ins."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql_beside(__file__)
