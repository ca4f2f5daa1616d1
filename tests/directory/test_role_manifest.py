"""The app roles of an application as Entra's manifest."""

from __future__ import annotations

from lockstep.directory.roles import from_manifest, to_manifest
from lockstep.storage.applications import RoleRow

ADMIN = RoleRow("00000000-0000-4000-8000-0000000000a1", "Admin", "Administrator")
READER = RoleRow("00000000-0000-4000-8000-0000000000a3", "", "Reader", description="Reads", is_enabled=False)


def test_manifest_has_entras_shape() -> None:
    assert to_manifest([ADMIN]) == [
        {
            "allowedMemberTypes": ["User"],
            "description": "Administrator",
            "displayName": "Administrator",
            "id": ADMIN.id,
            "isEnabled": True,
            "value": "Admin",
        }
    ]


def test_manifest_written_and_read_again_is_the_same() -> None:
    manifest = to_manifest([ADMIN, READER])

    assert to_manifest(from_manifest({"appRoles": manifest})) == manifest
    assert to_manifest(from_manifest(manifest)) == manifest
