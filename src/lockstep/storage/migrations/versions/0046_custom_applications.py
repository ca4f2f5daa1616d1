"""Rename the gallery entry "custom-scim" to "custom"."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0046"
down_revision = "0045"


def upgrade() -> None:
    run_sql_beside(__file__)
