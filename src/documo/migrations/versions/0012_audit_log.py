"""The audit log of an account (who changed what, and who signed in), and whether the account accepts SCIM requests."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_sql_beside(__file__)
