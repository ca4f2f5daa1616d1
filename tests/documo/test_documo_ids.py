"""Ids increase with time, and keys cannot be guessed."""

from __future__ import annotations

import uuid

from documo.identifiers import new_id, new_key, read_id


def test_ids_are_version_7_and_in_order_of_creation() -> None:
    made = [new_id() for _ in range(5000)]

    assert made == sorted(set(made))
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant) for text in made} == {(7, uuid.RFC_4122)}


def test_only_ids_in_their_canonical_length_are_read() -> None:
    made = new_id()

    assert read_id(made.upper()) == made
    assert [read_id(text) for text in ("", "x", made[:-1], made + "0", "g" * 36, "{" + made[:-2] + "}")] == [None] * 6


def test_keys_carry_256_random_bits() -> None:
    first, second = new_key(), new_key()

    assert first != second and len(first.removeprefix("dk_live_")) == 64


def test_beginnings_of_ids_of_one_moment_differ() -> None:
    """Commands take the beginning of an id, such as `lockstep logs show`."""
    ids = [new_id() for _ in range(2_000)]

    assert len({one[:28] for one in ids}) == len(ids)
