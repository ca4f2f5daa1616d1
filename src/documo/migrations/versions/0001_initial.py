"""Accounts, keys, domains, resources, members of groups, the request log."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_sql_beside(__file__)
