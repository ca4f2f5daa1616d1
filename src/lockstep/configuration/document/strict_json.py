"""Read JSON strictly: every unknown key, wrong type and unknown word is an error with its place and a suggestion.

Each part knows its place in the document, so an error names, for example, the tenth mapping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

from lockstep.engine.rules.durations import parse_duration
from lockstep.errors import Kind, LockstepError
from lockstep.wording import nearest

Json = dict[str, Any]

Word = TypeVar("Word", bound=StrEnum)
Item = TypeVar("Item")


class ConfigurationError(LockstepError):
    """Raised if a configuration is invalid. *place* is the path of the faulty value: `mappings[0].attributes[2].expression`."""

    def __init__(self, place: str, message: str, *, next_step: str = "") -> None:
        super().__init__(
            Kind.INVALID, f"{place}: {message}" if place else message, next_step=next_step, code="InvalidConfiguration"
        )
        self.place = place
        self.message = message


class Part:
    """One JSON object, with its place in the document. `done` refuses keys that were never read."""

    def __init__(self, value: Any, place: str = "") -> None:
        if not isinstance(value, Mapping):
            raise ConfigurationError(place, f"must be an object, got {_kind(value)}")
        self._value: Mapping[str, Any] = value
        self._asked: set[str] = set()
        self.place = place

    def __contains__(self, key: str) -> bool:
        self._asked.add(key)
        return self._value.get(key) is not None

    def has(self, key: str) -> bool:
        """Whether the key is present. The check alone does not mark the key as known, so `done` may still refuse it."""
        return key in self._value

    def place_of(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key

    def error(self, key: str, message: str, *, next_step: str = "") -> ConfigurationError:
        return ConfigurationError(self.place_of(key), message, next_step=next_step)

    def raw(self, key: str) -> Any:
        self._asked.add(key)
        return self._value.get(key)

    def whole(self) -> Mapping[str, Any]:
        """Return the whole object for other code to read, and mark all its keys as known."""
        self._asked.update(self._value)
        return self._value

    def says_null(self, key: str) -> bool:
        """Whether the key is present with the value null, which means "switched off". A missing key does not mean that."""
        return key in self._value and self.raw(key) is None

    def text(self, key: str, default: str = "", *, required: bool = False) -> str:
        value = self.raw(key)
        if value is None and not required:
            return default
        if not isinstance(value, str) or (required and not value):
            missing = "is missing" if key not in self._value else "must not be empty"
            raise self.error(key, missing if value in (None, "") else f"must be text, got {_kind(value)}")
        return value

    def boolean(self, key: str, *, default: bool) -> bool:
        value = self.raw(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.error(key, f"must be true or false, got {_kind(value)}")
        return value

    def number(self, key: str, default: int, *, least: int = 0, most: int = 2**31) -> int:
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.error(key, f"must be a whole number from {least:,} to {most:,}, got {_kind(value)}")
        return value

    def word(self, key: str, words: type[Word], default: Word) -> Word:
        value = self.raw(key)
        if value is None:
            return default
        try:
            return words(value)
        except ValueError:
            raise self.error(key, unknown_word(str(value), [word.value for word in words])) from None

    def duration(self, key: str, default: timedelta | None) -> timedelta | None:
        value = self.raw(key)
        if value is None:
            return default
        duration = parse_duration(value) if isinstance(value, str) else None
        if duration is None:
            raise self.error(key, f'must be a duration such as "P30D" or "PT40M", got {_kind(value)}')
        return duration

    def part(self, key: str) -> Part:
        return Part(self.raw(key) or {}, self.place_of(key))

    def list(self, key: str) -> Sequence[Any]:
        value = self.raw(key)
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            raise self.error(key, f"must be a list, got {_kind(value)}")
        return value

    def parts(self, key: str) -> Iterator[Part]:
        for index, value in enumerate(self.list(key)):
            yield Part(value, f"{self.place_of(key)}[{index}]")

    def read_each(self, key: str, read: Callable[[Part], Item]) -> tuple[Item, ...]:
        return tuple(read(part) for part in self.parts(key))

    def done(self) -> None:
        """Refuse keys that were never read, with a suggestion. Raises ConfigurationError."""
        for key in self._value:
            if key not in self._asked:
                raise ConfigurationError(self.place_of(str(key)), unknown_word(str(key), sorted(self._asked), "key"))


def unknown_word(word: str, known: Sequence[str], what: str = "value", *, lists_known: bool = True) -> str:
    """Return the error text for an unknown word: `unknown key "expresion", did you mean "expression"?`. If no known word is similar, the
    text lists the allowed words, unless *lists_known* is false.
    """
    if near := nearest(word, known):
        return f'unknown {what} "{word[:60]}", did you mean "{near[0]}"?'
    return f'unknown {what} "{word[:60]}"' + (f"; allowed: {', '.join(known)}" if lists_known else ".")


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value[:40]}"'
        case int() | float():
            return str(value)
        case Mapping():
            return "an object"
        case _:
            return "a list"
