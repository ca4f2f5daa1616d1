"""Rename the scopes of API keys, trusts and tokens to the names that begin with `scim:`."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    run_sql_beside(__file__)
