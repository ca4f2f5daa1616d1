"""The audit log: who changed what in an account, and who signed in; and whether an account accepts SCIM requests."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_sql_beside(__file__)
