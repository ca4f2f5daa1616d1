"""Make Lockstep an OpenID Connect provider: store its keys, codes, grants and tokens."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0041"
down_revision = "0040"


def upgrade() -> None:
    run_sql_beside(__file__)
