"""The page of Documo that corresponds to each command. Next steps of errors link to these pages."""

from __future__ import annotations

from lockstep.kit.page_steps import PageSteps

STEPS = PageSteps(
    "documo",
    {
        "audit": "Audit log",
        "domains": "Security > Domains",
        "keys": "API keys",
        "members": "Users",
        "roles": "Users",
        "sso": "Single sign-on",
    },
)
