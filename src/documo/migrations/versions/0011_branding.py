"""Branding of an account's pages, and the hosts that serve them and its API."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql_beside(__file__)
