"""Single sign-on of administrators: one provider, the roles of its groups, and which administrators come from it."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    run_sql_beside(__file__)
