"""What a PATCH is answered with may follow the profile; Admins are counted by an index; more tables stand behind the wall."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql_beside(__file__)
