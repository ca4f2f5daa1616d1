"""The JSON Schema of configuration files, which gives editors completion and error marking.

It is generated from the same tables that reading uses, so it is never out of date. Rules that a schema cannot express are checked when the
file is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from lockstep.configuration.document.mapping_json import ACTIONS
from lockstep.configuration.files.file import API_VERSION, DocumentKind
from lockstep.configuration.files.ldap_sign_in import KEY_SCHEMAS as LDAP_KEYS
from lockstep.configuration.files.retention import LIMITS, MOST_DAYS
from lockstep.configuration.files.secrets import REFERENCE
from lockstep.configuration.files.sections import AUTHENTICATIONS, COLOURS, EVENTS, MODES, OF_AUTHENTICATION
from lockstep.configuration.files.source import FILE_KINDS, OPENED_SOURCE_TYPES
from lockstep.configuration.openid_connect import KEY_SCHEMAS as OPENID_KEYS
from lockstep.configuration.single_sign_on import NameIdKind, SignedPart, SignOnMode
from lockstep.engine.records import ObjectKind
from lockstep.engine.rules.configuration import MOST_CREATES_PER_REQUEST, NotificationDelivery, Scope
from lockstep.engine.rules.mappings import Apply, Drift, Flow
from lockstep.engine.rules.operators import OPERATORS
from lockstep.engine.rules.policies import OnLeaving, OnLost
from lockstep.engine.rules.target_attributes import AttributeType

JsonSchema = dict[str, Any]

TEXT: JsonSchema = {"type": "string"}
BOOLEAN: JsonSchema = {"type": "boolean"}
ANYTHING: JsonSchema = {"type": "object"}
VALUE: JsonSchema = {"type": ["string", "integer", "boolean", "null", "array"]}
DURATION: JsonSchema = {"type": "string", "pattern": "^P.+$", "description": "ISO 8601: P30D, PT40M"}
SECRET: JsonSchema = {
    "type": "string",
    "pattern": f"^{REFERENCE.pattern}$",
    "description": "Reference to the secret: env:NAME or file:/path. Never the secret itself.",
}


def json_schema() -> JsonSchema:
    """Return the JSON Schema of one document."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Lockstep configuration",
        "oneOf": [_document(kind) for kind in DocumentKind],
        "$defs": {
            "condition": _condition(),
            "filter": _object({"title": TEXT, "all": _conditions(), "x-entra": ANYTHING}, "title", "all"),
            "attribute": _attribute(),
            "mapping": _mapping(),
            "provisioning": _provisioning(),
        },
    }


def _document(kind: DocumentKind) -> JsonSchema:
    labels = {} if kind is DocumentKind.GROUP else {"labels": {"type": "object", "additionalProperties": TEXT}}
    metadata = _object({"name": TEXT, **labels}, "name")
    specs = {
        DocumentKind.TENANT: _tenant,
        DocumentKind.SOURCE: _source,
        DocumentKind.GROUP: _group,
        DocumentKind.APPLICATION: _application,
    }
    keys = {"apiVersion": {"const": API_VERSION}, "kind": {"const": kind.value}, "metadata": metadata}
    return _object(keys | {"spec": specs[kind]()}, "apiVersion", "kind", "metadata", "spec")


def _tenant() -> JsonSchema:
    notifications = {
        "email": _list(TEXT),
        "webhook": {"not": {}, "description": "Its address can be a secret, so set it with: lockstep webhook set"},
        "on": _list({"enum": list(EVENTS)}),
    }
    environment = _object({"name": TEXT, "colour": {"enum": list(COLOURS)}}, "name")
    retention = _object({one.key: {"type": "integer", "minimum": 0, "maximum": MOST_DAYS} for one in LIMITS})
    public = TEXT | {"description": "The public address of Lockstep for browsers: https://id.contoso.com"}
    directory = _object(LDAP_KEYS | {"passwordRef": SECRET}, "url", "baseDn", "bindDn")
    keys = {"environment": environment, "retention": retention, "publicAddress": public, "ldapSignIn": directory}
    return _object({"notifications": _object(notifications)} | keys)


def _source() -> JsonSchema:
    files = _list(_object({"path": TEXT, "kind": {"enum": list(FILE_KINDS)}, "group": TEXT}, "path"))
    connection = {
        "files": files,
        "every": DURATION,
        "encoding": TEXT,
        "delimiter": TEXT,
        "values": ANYTHING,
        "dateFormats": ANYTHING,
        "partial": BOOLEAN,
    }
    keys = {
        "type": {"enum": list(OPENED_SOURCE_TYPES)},
        "displayName": TEXT,
        "connection": _object(connection),
        "attributes": {
            "type": "object",
            "additionalProperties": {"anyOf": [TEXT, _list(TEXT)]},
            "description": "Maps a column of the source to one or more Entra attributes.",
        },
    }
    return _object(keys, "type")


def _group() -> JsonSchema:
    filters = _list({"$ref": "#/$defs/filter"}) | {
        "description": "Who is a member: filters are combined with OR, clauses inside a filter with AND."
    }
    return _object({"description": TEXT, "scopingFilters": filters})


def _application() -> JsonSchema:
    credentials = {
        "authentication": {"enum": list(AUTHENTICATIONS)},
        "tenantUrl": TEXT,
        "secretTokenRef": SECRET,
    } | dict.fromkeys(OF_AUTHENTICATION, TEXT)
    role = {
        "value": TEXT,
        "displayName": TEXT,
        "description": TEXT,
        "enabled": BOOLEAN,
        "default": BOOLEAN,
        "memberTypes": _list(TEXT),
    }
    assignment = {
        "oneOf": [_object({"group": TEXT, "role": TEXT}, "group"), _object({"user": TEXT, "role": TEXT}, "user")]
    }
    keys = {
        "template": TEXT | {"description": "The gallery entry: lockstep apps templates"},
        "displayName": TEXT,
        "credentials": _object(credentials),
        "roles": _list(_object(role)) | {"description": "Roles in order of precedence, highest first."},
        "assignments": _list(assignment),
        "singleSignOn": _single_sign_on(),
        "provisioning": {"$ref": "#/$defs/provisioning"},
    }
    return _object(keys, "template")


def _single_sign_on() -> JsonSchema:
    value = {"source": TEXT, "constant": VALUE, "expression": TEXT | {"maxLength": 10_000}}
    certificate = TEXT | {"description": "PEM, without a private key"}
    claims = _list(_object({"name": TEXT, **value}, "name"))
    texts = dict.fromkeys(("signOnUrl", "relayState", "logoutUrl", "notificationEmail"), TEXT)
    keys = {
        "mode": _words(SignOnMode),
        "identifiers": _list(TEXT) | {"description": "Identifier (Entity ID)"},
        "replyUrls": _list(TEXT)
        | {"description": "Reply URL (Assertion Consumer Service URL). The first is the default"},
        **texts,
        "nameId": _object({"format": _words(NameIdKind), **value}),
        "claims": claims,
        "signing": _words(SignedPart),
        "encryptionCertificate": certificate,
        "requestCertificates": _list(certificate),
        **dict.fromkeys(("requireSignedRequests", "assignmentRequired"), BOOLEAN),
        "enabledForSignIn": BOOLEAN | {"description": "Enabled for users to sign-in? Usually true"},
        "openIdConnect": _object(OPENID_KEYS | {"claims": claims}),
    }
    return _object(keys)


def _provisioning() -> JsonSchema:
    keys = {
        "mode": {"enum": list(MODES)},
        "status": {"enum": ["on", "off", True, False]},
        "scope": _words(Scope),
        "schedule": _object({"interval": DURATION, "jitter": DURATION}),
        "limits": _object(
            {
                "requestsPerSecond": {"type": "number", "exclusiveMinimum": 0},
                "concurrency": _number(1, 1_000),
                "maxRetries": _number(0, 100),
                "membersPerPatch": _number(1, 1_000),
                "createsPerRequest": _number(1, MOST_CREATES_PER_REQUEST),
            }
        ),
        "deletions": _deletions(),
        "guards": _object(
            {
                "privilegeGrants": _or_off(1),
                "emptiedAttributes": _or_off(1),
                "matchingValues": _or_off(1),
                "percent": _or_off(1, 100),
            }
        ),
        "startDate": _object({"attribute": TEXT, "leadTime": DURATION}, "attribute"),
        "nestedGroups": BOOLEAN,
        **dict.fromkeys(("defaultDomain", "notificationEmail"), TEXT),
        "emailOnFailure": BOOLEAN,
        "notificationDelivery": _words(NotificationDelivery),
        "mappings": _list({"$ref": "#/$defs/mapping"}),
        "x-entra": ANYTHING,
    }
    return _object(keys)


def _deletions() -> JsonSchema:
    leaving = _words(OnLeaving)
    keys = {
        "threshold": _or_off(1),
        "thresholdPercent": _or_off(1, 100),
        "percentFrom": _number(1),
        "onOutOfScope": leaving,
        "onSourceDisabled": leaving,
        "onSourceDeleted": leaving,
        "onPurged": leaving,
        "deleteAfter": {"anyOf": [DURATION, {"type": "null"}]},
        "deleteAfterPurge": BOOLEAN,
        "onLost": _words(OnLost),
    }
    return _object(keys)


def _mapping() -> JsonSchema:
    described = {
        "name": TEXT,
        "type": _words(AttributeType),
        "required": BOOLEAN,
        "caseExact": BOOLEAN,
        "filterable": BOOLEAN,
        "multiValued": BOOLEAN,
    }
    keys = {
        "name": TEXT,
        "source": _words(ObjectKind),
        "target": TEXT,
        "enabled": BOOLEAN,
        "actions": _list({"enum": list(ACTIONS)}),
        "scopingFilters": _list({"$ref": "#/$defs/filter"})
        | {"description": "Filters are combined with OR, clauses inside a filter with AND."},
        "attributes": _list({"$ref": "#/$defs/attribute"}),
        "attributeList": _list(_object(described, "name")),
        "x-entra": ANYTHING,
    }
    return _object(keys, "name")


def _attribute() -> JsonSchema:
    keys = {
        "target": TEXT,
        "source": TEXT,
        "constant": VALUE,
        "expression": TEXT | {"maxLength": 10_000},
        "default": VALUE,
        "match": _number(0, 1_000) | {"description": "Matching precedence; 0 means not used for matching."},
        "apply": _words(Apply),
        "flow": _words(Flow),
        "clearWhenEmpty": BOOLEAN,
        "redact": BOOLEAN,
        "drift": _words(Drift),
        "privileged": _list({"type": ["string", "integer", "boolean"]}),
        "x-entra": ANYTHING,
    }
    return _object(keys, "target")


def _condition() -> JsonSchema:
    clause = {
        "attribute": TEXT,
        "operator": {"enum": list(OPERATORS)},
        "value": {"type": ["string", "integer", "boolean", "null"]},
        "of": {"enum": ["any", "all"]},
    }
    groups = [_object({name: _conditions()}, name) for name in ("all", "any")]
    inner = _object({"not": {"$ref": "#/$defs/condition"}}, "not")
    others = [_object({name: TEXT}, name) for name in ("memberOf", "expression")]
    return {"anyOf": [_object(clause, "attribute", "operator"), *groups, inner, *others]}


def _conditions() -> JsonSchema:
    return _list({"$ref": "#/$defs/condition"})


def _object(keys: dict[str, Any], *required: str) -> JsonSchema:
    found: JsonSchema = {"type": "object", "additionalProperties": False, "properties": keys}
    return found | ({"required": list(required)} if required else {})


def _list(items: JsonSchema) -> JsonSchema:
    return {"type": "array", "items": items}


def _words(words: Iterable[StrEnum]) -> JsonSchema:
    return {"enum": [word.value for word in words]}


def _number(least: int, most: int = 2**31) -> JsonSchema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _or_off(least: int, most: int = 2**31) -> JsonSchema:
    """Return the JSON Schema of a setting that is a number, or null if the limit is switched off."""
    return _number(least, most) | {"type": ["integer", "null"]}
