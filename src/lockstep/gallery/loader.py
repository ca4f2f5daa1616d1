"""Read the gallery: every file in `apps` is one application.

An entry is checked completely when it is read. Errors such as unknown keys, expressions with syntax errors, and targets missing from the
attribute list are therefore found when Lockstep starts, not when an administrator adds the application.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import yaml

from lockstep.configuration.document.mapping_json import attribute_from_json, attribute_to_json
from lockstep.configuration.document.strict_json import ConfigurationError, Part, unknown_word
from lockstep.configuration.single_sign_on import sign_on_from_json
from lockstep.configuration.template import Capabilities, Template, TenantUrlRule
from lockstep.engine.records import AppRole, ObjectKind
from lockstep.engine.rules.target_attributes import says_more
from lockstep.errors import LockstepError, invalid, not_found
from lockstep.gallery.positions import line_of


@dataclass(frozen=True)
class Gallery:
    """All known applications, by id."""

    templates: Mapping[str, Template]

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.templates))

    def template(self, name: str) -> Template:
        """Return the entry whose present or former id is *name*. If there is none, raises LockstepError with the most similar ids."""
        former = {one: entry for entry in self.templates.values() for one in entry.former_ids}
        found = self.templates.get(name.lower()) or former.get(name.lower())
        if found is None:
            raise not_found(
                f"The gallery: {unknown_word(name, self.names(), 'application')}",
                next_step="List the gallery: lockstep apps templates",
                code="UnknownTemplate",
            )
        return found


def load_gallery(folder: Path | None = None) -> Gallery:
    """Read all entries of *folder*, by default those that Lockstep includes. Raises LockstepError with file, line and key."""
    if folder is None:
        return _own_gallery()
    return _gallery((path.name, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml")))


@lru_cache(maxsize=1)
def _own_gallery() -> Gallery:
    apps = resources.files("lockstep.gallery") / "apps"
    files = sorted((entry for entry in apps.iterdir() if entry.name.endswith(".yaml")), key=lambda entry: entry.name)
    return _gallery((entry.name, entry.read_text(encoding="utf-8")) for entry in files)


def _gallery(files: Iterator[tuple[str, str]]) -> Gallery:
    templates: dict[str, Template] = {}
    for name, text in files:
        template = read_template(text, name)
        if template.id in templates or any(
            {template.id, *template.former_ids} & set(one.former_ids) for one in templates.values()
        ):
            raise invalid(
                f"{name}: another entry already has the id {template.id!r}",
                next_step="Change the id of one entry",
                code="InvalidTemplate",
            )
        templates[template.id] = template
    return Gallery(templates)


def read_template(text: str, file: str) -> Template:
    """Parse one entry. Raises LockstepError with *file*, line and key."""
    try:
        return template_from_json(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise invalid(
            f"{file}: this is not valid YAML: {error}", next_step="Correct the file", code="InvalidTemplate"
        ) from None
    except ConfigurationError as error:
        line = line_of(text, error.place)
        raise _located(error, f"{file}, line {line}" if line else file) from None


def template_from_json(value: Any) -> Template:
    """Build one entry from its JSON form. Raises ConfigurationError with the place."""
    part = Part(value)
    lists = part.part("attributes")
    template_id = part.text("id", required=True)
    template = Template(
        id=template_id,
        display_name=part.text("displayName", required=True),
        description=part.text("description", required=True),
        documentation=part.text("documentation", required=True),
        capabilities=_capabilities(part.part("capabilities")),
        tenant_url=_tenant_url(part.part("tenantUrl")),
        attributes={kind: lists.read_each(kind.value, attribute_from_json) for kind in ObjectKind if kind in lists},
        provisioning=part.part("provisioning").whole(),
        roles=tuple(_role(role, template_id) for role in part.parts("roles")),
        default_role=part.text("defaultRole"),
        former_ids=tuple(str(one) for one in part.list("formerIds")),
        publisher=part.text("publisher"),
        categories=tuple(str(category) for category in part.list("categories")),
        notes=tuple(str(note) for note in part.list("notes")),
        sign_on=sign_on_from_json(part.part("singleSignOn")),
    )
    lists.done()
    part.done()
    _check(template)
    return replace(template, provisioning=_with_attribute_lists(template))


def _with_attribute_lists(template: Template) -> dict[str, Any]:
    """Return the default configuration with the definitions of the mapped attributes added, so that it is self-contained."""
    mappings = []
    for mapping in template.provisioning["mappings"]:
        kind = ObjectKind(mapping["source"])
        match = {attribute["target"]: bool(attribute.get("match")) for attribute in mapping["attributes"]}
        mapped = [a for a in template.attributes.get(kind, ()) if a.name in match]
        own = [attribute_to_json(a) for a in mapped if says_more(a, kind, is_matching=match[a.name])]
        mappings.append({**mapping, "attributeList": own} if own else mapping)
    return {**template.provisioning, "mappings": mappings}


def _capabilities(part: Part) -> Capabilities:
    usual = Capabilities()
    capabilities = Capabilities(
        create=part.boolean("create", default=usual.create),
        update=part.boolean("update", default=usual.update),
        disable=part.boolean("disable", default=usual.disable),
        delete=part.boolean("delete", default=usual.delete),
        groups=part.boolean("groups", default=usual.groups),
        single_sign_on=part.boolean("singleSignOn", default=usual.single_sign_on),
    )
    part.done()
    return capabilities


def _tenant_url(part: Part) -> TenantUrlRule:
    url = TenantUrlRule(
        default=part.text("default"),
        path=part.text("path", "/scim/v2"),
    )
    part.done()
    return url


def _role(part: Part, template_id: str) -> AppRole:
    value = part.text("value")
    name = part.text("displayName", required=True)
    # The id must be the same in every installation, so that a configuration can be copied from one to another.
    role_id = part.text("id") or str(uuid5(NAMESPACE_URL, f"lockstep:role:{template_id}:{value or name}"))
    role = AppRole(role_id, value, name, part.boolean("isEnabled", default=True))
    part.done()
    return role


def _check(template: Template) -> None:
    """Compile the default configuration, and check the target attributes of its mappings against the attribute lists."""
    try:
        configuration = template.configuration()
    except ConfigurationError as error:
        raise ConfigurationError(f"provisioning.{error.place}", error.message) from None
    for index, mapping in enumerate(configuration.objects):
        known = [attribute.name for attribute in template.attributes.get(mapping.source, ())]
        place = f"provisioning.mappings[{index}]"
        if mapping.source is ObjectKind.GROUP and not template.capabilities.groups:
            raise ConfigurationError(f"{place}.source", "the application does not support groups (capabilities.groups)")
        for number, attribute in enumerate(mapping.attributes):
            if attribute.target not in known:
                message = unknown_word(attribute.target, known, "target attribute")
                raise ConfigurationError(f"{place}.attributes[{number}].target", message)
            if attribute.match and not attribute.attribute.filterable:
                message = f'"{attribute.target}" cannot be a matching attribute: the application cannot filter by it'
                raise ConfigurationError(f"{place}.attributes[{number}].match", message)


def _located(error: ConfigurationError, where: str) -> LockstepError:
    return invalid(f"{where}: {error.detail}", next_step=error.next_step, code="InvalidTemplate")


__all__ = ["Gallery", "load_gallery", "read_template", "template_from_json"]
