"""The LDAP directory that checks the passwords of people who sign in, as JSON."""

from __future__ import annotations

from typing_extensions import TypedDict

from lockstep.storage.ldap_directory import LdapDirectory


class LdapJson(TypedDict):
    url: str
    baseDn: str
    attribute: str
    bindDn: str
    ca: str
    startTls: bool
    loginAttribute: str


def ldap_json(row: LdapDirectory) -> LdapJson:
    """The settings of the LDAP directory as JSON, without the bind password."""
    return {
        "url": row.url,
        "baseDn": row.base_dn,
        "attribute": row.attribute,
        "bindDn": row.bind_dn,
        "ca": row.ca,
        "startTls": row.starts_tls,
        "loginAttribute": row.login_attribute,
    }
