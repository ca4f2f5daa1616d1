"""Apply PATCH operations to a copy of a resource: either all of them or none (RFC 7644, section 3.5.2).

Multi-valued attributes are sets. Adding a value that is present and removing a value that is absent both succeed and change
nothing. The members of groups are handled in `members`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lockstep.scim.element_changes import (
    Elements,
    check_immutable,
    only_value,
    says_primary,
    settle_primary,
)
from lockstep.scim.errors import invalid_path, invalid_value, mutability_error, no_target
from lockstep.scim.filters import Filter
from lockstep.scim.operations import Op, Operation
from lockstep.scim.patch_result import PatchResult, check_parts, touched_attributes
from lockstep.scim.registry import PathTarget, ResourceDefinition
from lockstep.scim.selections import element_described_by, selection_of
from lockstep.scim.validate import Checkers, Unknown, check_required, checkers_of, schemas_of
from lockstep.scim.values import check_count, copy_json, unknown_attribute


def apply_patch(
    resource: Mapping[str, Any],
    operations: Sequence[Operation],
    definition: ResourceDefinition,
    *,
    unknown: Unknown = "refuse",
) -> PatchResult:
    """Apply *operations* in order to a copy of *resource*, which is a stored document with the spelling of the schema.

    Raises ScimError (invalidPath, invalidValue, noTarget, mutability) if an operation fails. *resource* itself is never changed.
    """
    work = _Patch(copy_json(dict(resource)), definition, unknown)
    for operation in operations:
        work.apply(operation)
    result = work.document
    touched = touched_attributes(resource, result, definition)
    if not touched:
        return PatchResult(result, changed=False, touched=())
    check_required(result, definition)
    check_parts(result, touched, definition)
    result["schemas"] = schemas_of(result, definition)
    return PatchResult(result, changed=True, touched=touched)


class _Patch:
    """The copy of the resource to which the operations are applied. Each value is checked before it is set. `apply_patch` checks at the end
    that no required value is missing.
    """

    def __init__(self, document: dict[str, Any], definition: ResourceDefinition, unknown: Unknown) -> None:
        self.document = document
        self._definition = definition
        self._unknown = unknown
        self._checkers: Checkers = checkers_of(definition, unknown)

    def apply(self, operation: Operation) -> None:
        path = operation.path
        if path is None:
            if operation.op == "remove":
                raise no_target("A remove operation needs a path: name the attribute to remove.")
            self._apply_object(operation, operation.value, "")
            return
        target = self._definition.find(path.name)
        if target is None:
            if self._unknown == "ignore":
                return
            raise invalid_path(
                f"{str(path)[:200]} is not an attribute of {self._definition.type.name}.", str(path)[:200]
            )
        if operation.op == "remove" and operation.value is not None:
            raise invalid_value(
                f'A remove operation takes no value: select with a filter, as in {target}[value eq "..."].', str(target)
            )
        if target.attribute is None:
            self._apply_extension(operation, target.urn)
        else:
            self._apply_at(operation, target, path.filter)

    def _apply_extension(self, operation: Operation, urn: str) -> None:
        if operation.op == "remove" or operation.value is None:
            for name in list(self.document.get(urn) or ()):
                attribute = self._definition.attribute(name, urn)
                if attribute is not None and not attribute.read_only:
                    self._apply_at(Operation("remove"), PathTarget(urn, attribute), None)
            return
        self._apply_object(operation, operation.value, urn)

    def _apply_object(self, operation: Operation, value: Any, urn: str) -> None:
        if not isinstance(value, dict):
            raise invalid_value("An operation without a path needs an object of attributes as its value.")
        for name, item in value.items():
            attribute = self._definition.attribute(name, urn)
            extension = None if urn else self._definition.extension(name)
            if attribute is not None:
                self._apply_at(Operation(operation.op, None, item), PathTarget(urn, attribute), None)
            elif extension is not None:
                self._apply_extension(Operation(operation.op, None, item), extension.id)
            elif self._unknown == "refuse" and name.lower() != self._definition.schema.id.lower():
                raise unknown_attribute(f"{urn}:{name}" if urn else name)

    def _apply_at(self, operation: Operation, target: PathTarget, selection: Filter | None) -> None:
        attribute = target.writable
        op: Op = operation.op
        if attribute.name == "schemas":
            # `schemas` is derived from the content, so a client cannot make it wrong.
            return
        if op != "remove" and operation.value is None:
            if op == "add" and attribute.multi_valued:
                return
            op = "remove"
        container = self._container(target.urn)
        if selection is not None:
            self._apply_selected(op, operation, target, selection, container)
        elif target.sub is not None:
            self._apply_sub(op, operation.value, target, container)
        elif op == "remove":
            check_immutable(attribute, container.get(attribute.name), None, str(target))
            container.pop(attribute.name, None)
        elif attribute.multi_valued:
            self._apply_list(op, operation.value, target, container)
        else:
            self._apply_single(operation.value, target, container)
        self._drop_empty(target, container)

    def _apply_single(self, value: Any, target: PathTarget, container: dict[str, Any]) -> None:
        attribute = target.known
        if attribute.is_complex and isinstance(value, dict):
            self._merge(container.setdefault(attribute.name, {}), value, target)
            return
        checked = self._checkers.whole[target.urn, attribute.name](value)
        check_immutable(attribute, container.get(attribute.name), checked, str(target))
        container[attribute.name] = checked

    def _apply_list(self, op: Op, value: Any, target: PathTarget, container: dict[str, Any]) -> None:
        attribute = target.known
        before = container.get(attribute.name) or []
        items = value if isinstance(value, list) else [value]
        if op == "replace":
            checked = self._checkers.whole[target.urn, attribute.name](items)
            check_immutable(attribute, before or None, checked, str(target))
            container[attribute.name] = checked
            return
        check_count(items, str(target))
        check = self._checkers.single[target.urn, attribute.name]
        elements = Elements(before, attribute)
        promoted: list[Any] = []
        for element in map(check, items):
            if element is not None:
                present = elements.add(element)
                if isinstance(element, dict) and element.get("primary") is True:
                    promoted.append(present)
        check_count(elements.all, str(target))
        check_immutable(attribute, before or None, elements.all, str(target))
        container[attribute.name] = elements.all
        settle_primary(elements.all, promoted, str(target))

    def _apply_sub(self, op: Op, value: Any, target: PathTarget, container: dict[str, Any]) -> None:
        attribute = target.known
        if not attribute.multi_valued:
            element = container.get(attribute.name)
            if element is None:
                element = container[attribute.name] = {}
            self._set_sub(element, target, None if op == "remove" else value)
            return
        elements = container.setdefault(attribute.name, [])
        if not elements:
            if op == "remove":
                return
            raise no_target(
                f'{attribute.name} has no values: select or add one, as in {attribute.name}[type eq "work"].'
            )
        for element in elements:
            self._set_sub(element, target, None if op == "remove" else value)
        settle_primary(elements, elements if target.is_primary else [], str(target))

    def _apply_selected(
        self, op: Op, operation: Operation, target: PathTarget, selection: Filter, container: dict[str, Any]
    ) -> None:
        attribute = target.known
        if not attribute.multi_valued:
            raise invalid_path(f"{target} has one value, so it cannot be selected with a filter.", str(target))
        matches = selection_of(selection, self._definition, target.urn, attribute)
        elements = container.setdefault(attribute.name, [])
        selected = [element for element in elements if matches(element)]
        if op == "remove":
            self._remove_selected(elements, selected, target)
            return
        if not selected:
            if not operation.creates:
                raise no_target(f"No value of {attribute.name} matches the filter of the path.", str(operation.path))
            self._create_selected(elements, operation, target, selection)
            return
        written = [self._write_selected(elements, element, operation.value, target) for element in selected]
        settle_primary(elements, written, str(target))

    def _remove_selected(self, elements: list[Any], selected: list[Any], target: PathTarget) -> None:
        for element in selected:
            if target.sub is not None:
                self._set_sub(element, target, None)
        if target.sub is None:
            gone = {id(element) for element in selected}
            kept = [element for element in elements if id(element) not in gone]
            if selected:
                check_immutable(target.known, elements, kept or None, str(target))
            elements[:] = kept

    def _write_selected(self, elements: list[Any], element: Any, value: Any, target: PathTarget) -> Any:
        attribute = target.known
        if target.sub is not None:
            was_primary = element.get("primary") is True
            self._set_sub(element, target, value)
            return None if was_primary else element
        value = only_value(value, str(target))
        if attribute.is_complex and isinstance(value, dict):
            self._merge(element, value, target)
            return element if says_primary(value) else None
        checked = self._checkers.single[target.urn, attribute.name](value)
        place = next(index for index, other in enumerate(elements) if other is element)
        elements[place] = checked
        return checked

    def _create_selected(
        self, elements: list[Any], operation: Operation, target: PathTarget, selection: Filter
    ) -> None:
        attribute = target.known
        described = element_described_by(selection, attribute)
        if described is None:
            raise no_target(
                f"No value of {attribute.name} matches the filter, and the filter does not describe a value that could be created.",
                str(operation.path),
            )
        if target.sub is not None:
            described[target.sub.name] = operation.value
        else:
            value = only_value(operation.value, str(target))
            described = {**described, **value} if isinstance(value, dict) else value
        element = self._checkers.single[target.urn, attribute.name](described)
        if element is not None:
            elements.append(element)
            check_count(elements, str(target))
            settle_primary(elements, [element], str(target))

    def _merge(self, element: dict[str, Any], value: dict[str, Any], target: PathTarget) -> None:
        # Sub-attributes that the value leaves out stay unchanged (RFC 7644, section 3.5.2.3).
        attribute = target.known
        for name, item in value.items():
            sub = attribute.sub(name)
            if sub is None and self._unknown == "refuse":
                raise unknown_attribute(f"{target}.{name}")
            if sub is not None and not sub.read_only:
                self._set_sub(element, PathTarget(target.urn, attribute, sub), item)

    def _set_sub(self, element: dict[str, Any], target: PathTarget, value: Any) -> None:
        sub = target.sub
        if sub is None:
            raise invalid_path(f"{target} is an attribute, but a sub-attribute is needed.", str(target))
        checked = self._checkers.subs[target.urn, target.known.name, sub.name](value)
        check_immutable(sub, element.get(sub.name), checked, str(target))
        if checked is not None:
            element[sub.name] = checked
            return
        if sub.required and sub.name in element:
            raise mutability_error(f"{target} is required and cannot be removed.", str(target))
        element.pop(sub.name, None)

    def _container(self, urn: str) -> dict[str, Any]:
        if not urn:
            return self.document
        container: dict[str, Any] = self.document.setdefault(urn, {})
        return container

    def _drop_empty(self, target: PathTarget, container: dict[str, Any]) -> None:
        name = target.known.name
        value = container.get(name)
        if isinstance(value, list):
            kept = [item for item in value if item not in ({}, None)]
            if len(kept) != len(value):
                container[name] = value = kept
        if value in (None, [], {}):
            container.pop(name, None)
        if target.urn and not container:
            self.document.pop(target.urn, None)
