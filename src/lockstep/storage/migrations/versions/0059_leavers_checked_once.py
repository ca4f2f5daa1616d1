"""Store for each job whether a check of all leavers has begun, so that further active leavers in the same cycle do not begin another
one.
"""

from __future__ import annotations

from lockstep.postgres.revisions import run_sql_beside

revision = "0059"
down_revision = "0058"


def upgrade() -> None:
    run_sql_beside(__file__)
