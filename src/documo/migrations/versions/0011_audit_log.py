"""The audit log: who changed what in an account, and who signed in; and whether an account takes SCIM requests."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql_beside(__file__)
