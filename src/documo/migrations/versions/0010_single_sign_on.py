"""Single sign-on: an account's identity provider, requests under way, assertions that were used, and how sign-ins ended."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql_beside(__file__)
