"""A flag on the job: the check of all leavers has begun, so further active leavers in the same cycle do not begin it again."""

from __future__ import annotations

from lockstep.postgres.revisions import run_sql_beside

revision = "0059"
down_revision = "0058"


def upgrade() -> None:
    run_sql_beside(__file__)
