"""The section `ldapSignIn` of a tenant: the LDAP directory that checks people's passwords.

The file contains only a reference to the password of the bind DN. The password may be used only with the address and the bind DN for which
it was entered.
"""

from __future__ import annotations

from typing import Any

from lockstep.configuration.document.strict_json import Part
from lockstep.configuration.files.secrets import checked_reference, refuse_secrets

SECTION, PASSWORD = "ldapSignIn", "passwordRef"
USUAL_ATTRIBUTE = "userPrincipalName"
# The JSON Schema of its keys, except for the reference to the password.
KEY_SCHEMAS: dict[str, Any] = {
    "enabled": {"type": "boolean", "description": "Whether people sign in with it"},
    "url": {"type": "string", "description": "ldaps://dc1.contoso.com; ldap:// with startTls"},
    "baseDn": {"type": "string", "description": "Where the search for people starts"},
    "bindDn": {"type": "string", "description": "The account that searches"},
    "attribute": {"type": "string", "description": "Contains the user principal name"},
    "loginAttribute": {"type": "string", "description": "Another attribute that people may enter as user name"},
    "startTls": {"type": "boolean"},
    "ca": {"type": "string", "description": "PEM certificate of the authority to trust"},
}


def ldap_sign_in_from_json(part: Part) -> dict[str, Any]:
    """Return the section in canonical form: keys in their usual order, without optional keys that are not set. `enabled` and `attribute`
    are always present; they get default values.
    """
    refuse_secrets(part.whole(), part.place)
    part = Part(part.whole(), part.place)
    found: dict[str, Any] = {
        "enabled": part.boolean("enabled", default=True),
        **{key: part.text(key, required=True).strip() for key in ("url", "baseDn", "bindDn")},
        "attribute": part.text("attribute").strip() or USUAL_ATTRIBUTE,
    }
    if PASSWORD in part:
        found[PASSWORD] = checked_reference(part, PASSWORD)
    if name := part.text("loginAttribute").strip():
        found["loginAttribute"] = name
    if part.boolean("startTls", default=False):
        found["startTls"] = True
    if authority := part.text("ca").strip():
        found["ca"] = authority
    part.done()
    return found
