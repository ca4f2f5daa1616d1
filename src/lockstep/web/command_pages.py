"""The page of the admin centre that corresponds to each command. Next steps of errors link to these pages."""

from __future__ import annotations

from lockstep.kit.page_steps import PageSteps

_APP = "Enterprise applications > the application > "
_PROVISIONING = f"{_APP}Provisioning > "
STEPS = PageSteps(
    "lockstep",
    {
        "admins": "Settings > Administrators",
        "admins sso": "Settings > Single sign-on",
        "apply": "Settings > Configuration",
        "apps": "Enterprise applications",
        "apps add": "Enterprise applications > New application",
        "apps roles": f"{_APP}App roles",
        "assign": f"{_APP}Users and groups",
        "audit": "Logs > Audit logs",
        "config": f"{_PROVISIONING}History",
        "creds": f"{_PROVISIONING}Settings > Admin Credentials",
        "cycles": f"{_PROVISIONING}Cycles",
        "deletes": f"{_PROVISIONING}Held changes",
        "diff": "Settings > Configuration",
        "explain": f"{_PROVISIONING}On demand",
        "export": "Settings > Configuration",
        "expr": f"{_PROVISIONING}Expression builder",
        "groups": "Groups",
        "import": f"{_PROVISIONING}Mappings > Import the schema",
        "links": f"{_PROVISIONING}Links",
        "logs": "Logs > Provisioning logs",
        "logs sign-ins": "Logs > Sign-in logs",
        "mail": "Settings > Mail",
        "map": f"{_PROVISIONING}Mappings",
        "organisation": "Settings > General",
        "outbound": "Settings > Private networks",
        "pause": f"{_PROVISIONING}Overview > Pause",
        "people": "People",
        "people sign-in": "Settings > People's sign-in",
        "plan": "Settings > Configuration",
        "preview": f"{_PROVISIONING}Preview",
        "push": f"{_PROVISIONING}On demand",
        "quarantine": f"{_PROVISIONING}Quarantine",
        "restart": f"{_PROVISIONING}Overview > Restart",
        "retention": "Settings > Retention",
        "retry": "Logs > Failures",
        "run": f"{_PROVISIONING}Overview",
        "scope": f"{_PROVISIONING}Mappings > Source Object Scope",
        "settings": f"{_PROVISIONING}Settings",
        "sources": "Sources",
        "sources import": "Sources > Import a file",
        "sources remove": "Sources > the source > Remove",
        "sso": f"{_APP}Single sign-on",
        "start": f"{_PROVISIONING}Overview > Start",
        "status": "Home",
        "token": "Settings > Access tokens",
        "webhook": "Settings > Webhook",
    },
)
