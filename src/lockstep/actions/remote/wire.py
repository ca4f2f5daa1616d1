"""The data transferred when an action is called by name: its arguments, which the server checks by their types, and its result.

The *shape* of an action is a digest of the types of all data transferred for it. Two different versions of Lockstep can call each other's
action if the action has the same shape in both.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    create_model,
)

from lockstep.actions.access import CHECKED
from lockstep.actions.configuration_application import Resolve
from lockstep.actions.person_sign_in.ldap_setup import LdapChange
from lockstep.actions.remote.exposed import EXPOSED, RemoteAction
from lockstep.configuration.files.file import ConfigDocument, DocumentKind, read_documents
from lockstep.configuration.files.write import write_documents
from lockstep.directory.intake import IntakeOptions
from lockstep.errors import conflict, invalid, not_found
from lockstep.vault import Secret
from lockstep.wording import counted


def _as_secret(value: Any) -> Any:
    if not isinstance(value, str | Secret):
        raise ValueError("a secret must be text")
    return Secret(value) if isinstance(value, str) else value


def _read_again(document: ConfigDocument) -> ConfigDocument:
    """Validate *document* by writing it as text and reading that text. The result keeps the origin of *document*, so that later errors name
    positions in the caller's file.
    """
    [read] = read_documents(write_documents([document]), "request")
    return replace(read, origin=document.origin)


def _record_with_secret(kind: type[Any]) -> Any:
    """Return an annotated type with which pydantic checks records of type *kind*. One field of such a record is a secret, so errors do not
    contain any values.
    """
    hints = get_type_hints(kind)
    members: dict[str, Any] = {
        one.name: (_travelling(hints[one.name]), ... if one.default is MISSING else one.default) for one in fields(kind)
    }
    model = create_model(kind.__name__, __config__=ConfigDict(extra="forbid"), **members)

    def read(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        try:
            return kind(**dict(model.model_validate(value)))
        except ValidationError as wrong:
            first = wrong.errors(include_url=False, include_context=False, include_input=False)[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    def write(value: Any) -> dict[str, Any]:
        given = {one.name: getattr(value, one.name) for one in fields(kind)}
        told: dict[str, Any] = model.model_construct(**given).model_dump(mode="json")
        return told

    members_text = ", ".join(f"{name}: {_form(hints[name], set())}" for name in members)
    return Annotated[Any, BeforeValidator(read), PlainSerializer(write), f"{kind.__name__}({members_text})"]


_SECRET = Annotated[Any, BeforeValidator(_as_secret), PlainSerializer(lambda secret: secret.reveal())]
_OPTIONS = Annotated[
    IntakeOptions,
    PlainSerializer(lambda options: {"guard": asdict(options.guard), "most_named": options.most_named}),
]
_DOCUMENT = Annotated[ConfigDocument, AfterValidator(_read_again)]


@dataclass(frozen=True, slots=True)
class Wire:
    """The remote form of one action."""

    name: str
    action: Callable[..., Any]
    exposed: RemoteAction
    parameters: Mapping[str, TypeAdapter[Any]]
    shape: str
    streams: bool

    def sent(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Convert the arguments *given* to JSON. Raises LockstepError if one of them cannot be transferred."""
        told: dict[str, Any] = {}
        for name, value in given.items():
            if name == _RESOLVE:
                told[_SECRETS] = _resolved(value, given.get("documents", ()))
            elif name in self.exposed.kept and value is not None:
                raise conflict(
                    "This argument names files on the server's machine, so it does not work from another machine",
                    next_step="Run the command on that machine",
                )
            elif name in self.parameters:
                told[name] = self.parameters[name].dump_python(value, mode="json", warnings=False)
        return told

    def received(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """Check the arguments in *told* and return them. Raises LockstepError if the action does not accept them."""
        given: dict[str, Any] = {}
        for name, value in told.items():
            adapter = _SECRETS_ADAPTER if name == _SECRETS and self._resolves else self.parameters.get(name)
            if adapter is None:
                raise invalid(
                    f'{self.name} has no argument "{name}"', next_step=f"It has: {', '.join(self.parameters)}"
                )
            try:
                given[name] = adapter.validate_python(value)
            except ValidationError as wrong:
                first = wrong.errors(include_url=False, include_context=False, include_input=False)[0]
                place = ".".join(map(str, (name, *first["loc"])))
                raise invalid(f"{self.name}: {place}: {first['msg']}") from None
            self._refuse_too_many(name, given[name])
        if _SECRETS in given:
            given[_RESOLVE] = given.pop(_SECRETS).get
        complete = given | dict(self.exposed.here)
        if missing := [name for name in self._required if name not in complete]:
            raise invalid(f"{self.name} needs {', '.join(missing)}", next_step=f"It has: {', '.join(self.parameters)}")
        return complete

    @property
    def _required(self) -> list[str]:
        taken = list(inspect.signature(self.action).parameters.values())[1:]  # after the context
        return [
            one.name
            for one in taken
            if one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
        ]

    def _refuse_too_many(self, name: str, value: Any) -> None:
        asked = value if name in _ROWS else getattr(value, "limit", None)
        if isinstance(asked, int) and asked > self.exposed.most:
            raise invalid(
                f"{self.name}: {name} requests {counted(asked, 'row')} at once; the maximum is {self.exposed.most:,}",
                next_step="Request fewer rows at a time",
            )

    @property
    def _resolves(self) -> bool:
        return _RESOLVE in inspect.signature(self.action).parameters


_REFERENCES = (
    (DocumentKind.APPLICATION, "credentials", "secretTokenRef"),
    (DocumentKind.TENANT, "ldapSignIn", "passwordRef"),
)
_RESOLVE, _SECRETS = "resolve", "secrets"
_ROWS = frozenset({"limit", "most_members"})  # parameters that limit the rows that an action reads
_SECRETS_ADAPTER: TypeAdapter[Any] = TypeAdapter(dict[str, _SECRET | None])


@cache
def wire_of(name: str) -> Wire:
    """Return the remote form of the action *name*. Raises LockstepError if the action cannot be called by name."""
    exposed = EXPOSED.get(name)
    if exposed is None:
        raise not_found(f'Unknown action "{name}"', next_step="Use the addresses in /api/docs")
    action = CHECKED[name]
    hints = get_type_hints(inspect.unwrap(action))
    result = hints.pop("return")
    hints.pop("context")
    taken = {
        parameter: _travelling(hint)
        for parameter, hint in hints.items()
        if parameter not in exposed.here and parameter not in exposed.kept and parameter != _RESOLVE
    }
    streams = get_origin(result) is AsyncIterator
    digest = hashlib.sha256()
    for part in (name, *taken, *taken.values(), result if exposed.tells else None):
        digest.update(_form(part, set()).encode() + b"\n")
    adapters = {parameter: TypeAdapter(hint) for parameter, hint in taken.items()}
    return Wire(name, action, exposed, adapters, digest.hexdigest()[:16], streams)


def _travelling(hint: Any) -> Any:
    """Return the type *hint* in a form that pydantic can check."""
    if hint is Secret:
        return _SECRET
    if hint is ConfigDocument:
        return _DOCUMENT
    if hint is LdapChange:
        return _record_with_secret(LdapChange)
    if hint is IntakeOptions:
        return _OPTIONS
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return Union[tuple(map(_travelling, arguments))]  # noqa: UP007  # made from a tuple
    if origin is Collection:
        return list[_travelling(arguments[0])]  # type: ignore[misc]
    if origin is not None and origin is not Annotated and ConfigDocument in arguments:
        return list[_DOCUMENT]
    return hint


def _form(hint: Any, seen: set[type]) -> str:
    """Describe as text everything in *hint* that affects the transferred data. The digest of the shape includes this text."""
    if isinstance(hint, type) and hint not in seen:
        if is_dataclass(hint):
            seen.add(hint)
            hints = get_type_hints(hint)
            inner = (f"{one.name}: {_form(hints[one.name], seen)}" for one in fields(hint) if one.init)
            return f"{hint.__name__}({', '.join(inner)})"
        if issubclass(hint, Enum):
            seen.add(hint)
            return f"{hint.__name__}[{', '.join(str(one.value) for one in hint)}]"
    arguments = get_args(hint)
    if arguments and get_origin(hint) is not None:
        return f"{getattr(get_origin(hint), '__name__', '')}<{'; '.join(_form(one, seen) for one in arguments)}>"
    return getattr(hint, "__name__", "") or (hint if isinstance(hint, str) else "")


def _resolved(resolve: Resolve, documents: Collection[ConfigDocument]) -> dict[str, str | None]:
    """Return the secrets to which *documents* refer. Called on the caller's machine, the only one that has these secrets."""
    references = {
        str(reference)
        for one in documents
        for kind, section, key in _REFERENCES
        if one.kind is kind and (reference := one.spec.get(section, {}).get(key)) is not None
    }
    found = {reference: resolve(reference) for reference in sorted(references)}
    return {reference: secret.reveal() if secret else None for reference, secret in found.items()}
