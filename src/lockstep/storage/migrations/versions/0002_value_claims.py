"""Unique values chosen for one object, so that no other object gets them."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_sql_beside(__file__)
