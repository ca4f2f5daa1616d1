"""Read the `spec` of a tenant, a group and an application, and convert each to its canonical JSON form.

Only sections that are present are returned, because omitted sections do not change anything.
"""

from __future__ import annotations

from typing import Any

from lockstep.configuration.document.configuration_json import configuration_from_json, configuration_to_json
from lockstep.configuration.document.filter_json import filter_from_json, filter_to_json
from lockstep.configuration.document.strict_json import ConfigurationError, Part, unknown_word
from lockstep.configuration.files.ldap_sign_in import ldap_sign_in_from_json
from lockstep.configuration.files.retention import LIMITS, wrong_days
from lockstep.configuration.files.secrets import checked_reference, refuse_secrets
from lockstep.configuration.single_sign_on import check_origin, sign_on_from_json, sign_on_to_json

EVENTS = ("failure", "quarantine", "deleteThreshold", "recovered")
AUTHENTICATIONS = ("bearer", "oauth2ClientCredentials", "basic")
OF_AUTHENTICATION = ("clientId", "tokenUrl", "scope")  # keys beside `authentication`; none holds a secret
COLOURS = ("red", "amber", "green", "blue", "violet", "grey")
LONGEST_ENVIRONMENT = 30  # characters
DEFAULT_ACCESS_NAMES = ("", "default access")
MODES = ("automatic",)
# In the usual order of a file.
PROVISIONING_KEYS = (
    "mode", "status", "scope", "schedule", "limits", "deletions", "guards", "startDate", "nestedGroups", "defaultDomain",
    "notificationEmail", "emailOnFailure", "notificationDelivery", "mappings", "x-entra",
)  # fmt: skip


def tenant_from_json(part: Part) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    if "notifications" in part:
        spec["notifications"] = _notifications(part.part("notifications"))
    if "environment" in part:
        spec["environment"] = _environment(part.part("environment"))
    if "retention" in part:
        spec["retention"] = _retention(part.part("retention"))
    if "publicAddress" in part:
        spec["publicAddress"] = _public_address(part)
    if "ldapSignIn" in part:
        spec["ldapSignIn"] = ldap_sign_in_from_json(part.part("ldapSignIn"))
    part.done()
    return spec


def _public_address(part: Part) -> str:
    text = part.text("publicAddress").strip().rstrip("/")
    if text and (wrong := check_origin(text)):
        raise part.error("publicAddress", wrong)
    return text


def _environment(part: Part) -> dict[str, Any]:
    name = part.text("name", required=True)
    if len(name) > LONGEST_ENVIRONMENT:
        raise part.error("name", f"must have at most {LONGEST_ENVIRONMENT} characters")
    colour = part.text("colour") or "grey"
    if colour not in COLOURS:
        raise part.error("colour", unknown_word(colour, COLOURS, "colour"))
    part.done()
    return {"name": name, "colour": colour}


def _retention(part: Part) -> dict[str, int]:
    """Return the number of days for which each kind of records is kept; 0 means forever."""
    found: dict[str, int] = {}
    for limit in LIMITS:
        if limit.key in part:
            found[limit.key] = part.number(limit.key, limit.days)
            if wrong := wrong_days(limit, found[limit.key]):
                raise part.error(limit.key, wrong)
    part.done()
    return found


def group_from_json(part: Part) -> dict[str, Any]:
    """Read a group. Without `scopingFilters`, the file does not define membership; an empty list means that the group has no rule."""
    spec: dict[str, Any] = {}
    if "description" in part:
        spec["description"] = part.text("description")
    if "scopingFilters" in part:
        spec["scopingFilters"] = [filter_to_json(one) for one in part.read_each("scopingFilters", filter_from_json)]
    part.done()
    return spec


def application_from_json(part: Part) -> dict[str, Any]:
    part = _without_source(part)
    spec: dict[str, Any] = {"template": part.text("template", required=True).lower()}
    if "displayName" in part:
        spec["displayName"] = part.text("displayName")
    if "credentials" in part:
        spec["credentials"] = _credentials(part.part("credentials"))
    if part.raw("roles") is not None:
        spec["roles"] = _roles(part)
    if part.raw("assignments") is not None:
        spec["assignments"] = _assignments(part)
    if "singleSignOn" in part:
        spec["singleSignOn"] = sign_on_to_json(sign_on_from_json(part.part("singleSignOn")))
    if "provisioning" in part:
        spec["provisioning"] = provisioning_from_json(part.part("provisioning"))
    part.done()
    return spec


def provisioning_from_json(part: Part) -> dict[str, Any]:
    """Return the keys that are present, in canonical form. A key whose value in the file is the default gets the value None."""
    given = part.whole()
    try:
        compiled = configuration_from_json(given, version=0)
    except ConfigurationError as error:
        place = f"{part.place}.{error.place}" if error.place else part.place
        raise ConfigurationError(place, error.message, next_step=error.next_step) from None
    mode = compiled.settings.mode
    if mode is not None and mode not in MODES:
        raise part.error("mode", unknown_word(mode, MODES, "mode"))
    written = configuration_to_json(compiled)
    return {key: written.get(key) for key in PROVISIONING_KEYS if given.get(key) is not None}


def _notifications(part: Part) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "email" in part:
        found["email"] = [str(address) for address in part.list("email")]
    if "webhook" in part:
        said = "A webhook cannot be set in a file, because its address can be a secret"
        raise part.error("webhook", said, next_step="Remove it from the file and run: lockstep webhook set --url-stdin")
    if "on" in part:
        events = part.list("on")
        for index, event in enumerate(events):
            if event not in EVENTS:
                raise part.error(f"on[{index}]", unknown_word(str(event), EVENTS, "event"))
        found["on"] = list(events)
    part.done()
    return found


def _credentials(part: Part) -> dict[str, Any]:
    part = _without_secrets(part)
    found: dict[str, Any] = {}
    if "authentication" in part:
        way = part.text("authentication")
        if way not in AUTHENTICATIONS:
            raise part.error("authentication", unknown_word(way, AUTHENTICATIONS, "authentication"))
        found["authentication"] = way
    if "tenantUrl" in part:
        found["tenantUrl"] = part.text("tenantUrl").strip().rstrip("/")
    for key in OF_AUTHENTICATION:
        if key in part:
            found[key] = part.text(key).strip()
    if "secretTokenRef" in part:
        found["secretTokenRef"] = checked_reference(part, "secretTokenRef")
    part.done()
    return found


def _without_source(part: Part) -> Part:
    """Return *part* unchanged. Refuses the key `source`: in Entra every job has its own source; in Lockstep the source is always the
    directory.
    """
    if "source" in part.whole():
        raise part.error(
            "source",
            "an application takes people from the whole directory, whichever source they came from",
            next_step="Remove it, and use assignments or scoping filters to choose who is provisioned",
        )
    return Part(part.whole(), part.place)


def _without_secrets(part: Part) -> Part:
    """Return *part* unchanged. Refuses secrets, with an error that is more specific than "unknown key"."""
    refuse_secrets(part.whole(), part.place)
    return Part(part.whole(), part.place)


def _roles(part: Part) -> list[dict[str, Any]]:
    roles = [_role(role) for role in part.parts("roles")]
    seen: set[str] = set()
    for index, role in enumerate(roles):
        key = role_key(role)
        if key in seen:
            raise part.error(f"roles[{index}]", f'the role "{role["value"] or role["displayName"]}" is defined twice')
        seen.add(key)
    defaults = [index for index, role in enumerate(roles) if role.get("default")]
    if len(defaults) > 1:
        raise part.error(f"roles[{defaults[1]}].default", "only one role can be the default")
    return roles


def _role(part: Part) -> dict[str, Any]:
    value = part.text("value").strip()
    name = part.text("displayName").strip() or value
    if not name:
        raise part.error("displayName", "a role needs a value or a displayName")
    found: dict[str, Any] = {"value": value, "displayName": name}
    if text := part.text("description"):
        found["description"] = text
    if not part.boolean("enabled", default=True):
        found["enabled"] = False
    if part.boolean("default", default=False):
        found["default"] = True
    kinds = [str(kind) for kind in part.list("memberTypes")]
    if kinds and kinds != ["User"]:
        found["memberTypes"] = kinds
    part.done()
    return found


def _assignments(part: Part) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    seen: set[tuple[str, str, str]] = set()
    for index, inner in enumerate(part.parts("assignments")):
        one = _assignment(inner)
        key = assignment_key(one)
        if key in seen:
            raise part.error(f"assignments[{index}]", "this assignment is defined twice")
        seen.add(key)
        found.append(one)
    return found


def _assignment(part: Part) -> dict[str, Any]:
    given = [key for key in ("group", "user") if key in part]
    if len(given) != 1:
        raise ConfigurationError(part.place, "an assignment names either a group or a user")
    one = {given[0]: part.text(given[0], required=True).strip()}
    role = part.text("role").strip()
    part.done()
    return one if role.lower() in DEFAULT_ACCESS_NAMES else one | {"role": role}


def role_key(role: dict[str, Any]) -> str:
    """Return the key that identifies a role: its value or, without a value, its name, ignoring letter case."""
    return str(role["value"] or role["displayName"]).lower()


def assignment_key(one: dict[str, Any]) -> tuple[str, str, str]:
    kind = "group" if "group" in one else "user"
    return kind, str(one[kind]).lower(), str(one.get("role", "")).lower()
