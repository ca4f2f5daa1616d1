"""Store the provider through which administrators sign in, the roles that its claims give, and the administrators who come from it."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    run_sql_beside(__file__)
