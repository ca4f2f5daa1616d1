"""The profiles, and the mistakes of clients that each of them tolerates. `strict` tolerates none; `lenient`, the default, tolerates
all.

A tolerance has the name of the function that implements it. `normalize.describe_tolerance` shows the docstring of that function
to administrators.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lockstep.scim.errors import not_found
from lockstep.scim.validate import Unknown


@dataclass(frozen=True, slots=True)
class Profile:
    """The tolerances that a tenant has chosen. *unknown* says what happens to attributes that no schema declares."""

    name: str
    tolerances: frozenset[str]
    unknown: Unknown = "ignore"

    def allows(self, tolerance: str) -> bool:
        """Whether the profile includes *tolerance*."""
        return tolerance in self.tolerances


# Columns: entra, okta, onelogin, jumpcloud, google. `lenient` has all tolerances, `strict` none. A row without a mark is a habit of
# clients without a dedicated profile: only `lenient` tolerates it. Every profile that ignores unknown attributes has `keys_as_paths`;
# otherwise a change whose key is a path would be dropped silently.
_TABLE: Final[dict[str, str]] = {
    #                          E O L J G
    "capitalised_names":      "x - - - -",
    "padded_ops":             "- - - - -",
    "capitalised_ops":        "x - x - -",
    "incomplete_envelope":    "x - x x x",
    "empty_path":             "- - x x -",
    "paths_as_pointers":      "- - - - -",
    "missing_value_clears":   "x - - - -",
    "keys_as_paths":          "x x x x x",
    "read_only_values":       "x x x x x",
    "extension_without_urn":  "x - x - -",
    "remove_lists_values":    "x - x x -",
    "texts_in_path_filters":  "x - - - -",
    "filtered_path_creates": "x x x - -",
    "incomplete_schemas":     "x - x x x",
    "qualified_keys":         "x - x - -",
    "booleans_as_text":       "x - x - -",
    "booleans_as_yes_or_no":  "- - - - -",
    "numbers_as_text":        "x - x - -",
    "texts_as_numbers":       "- - x x -",
    "list_as_object":         "- - x - -",
    "elements_as_text":       "x - - - x",
    "manager_as_text":        "x x x - x",
    "single_value_in_list":   "x - - - -",
    "roles_as_json_text":     "x - - - -",
    "unquoted_filter_values": "x - x - -",
    "quoted_booleans":        "x x x - -",
    "other_media_type":       "x - x x -",
    "lower_case_endpoint":    "x - x x -",
    "value_paths_as_names":   "x - - - -",
}  # fmt: skip

_COLUMNS: Final = ("entra", "okta", "onelogin", "jumpcloud", "google")

PROFILES: Final[dict[str, Profile]] = {
    "strict": Profile("strict", frozenset(), unknown="refuse"),
    **{
        name: Profile(name, frozenset(key for key, marks in _TABLE.items() if marks.split()[column] == "x"))
        for column, name in enumerate(_COLUMNS)
    },
    "lenient": Profile("lenient", frozenset(_TABLE)),
}


def profile_named(name: str) -> Profile:
    """Return the profile called *name*. Raises ScimError 404 if it does not exist."""
    found = PROFILES.get(name)
    if found is None:
        raise not_found(f"Unknown profile {name[:40]!r}: choose one of {', '.join(PROFILES)}.")
    return found
