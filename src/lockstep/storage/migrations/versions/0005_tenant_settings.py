"""Store the settings of the organisation, and labels for everything that a configuration file can name."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_sql_beside(__file__)
