"""Settings of the process."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from lockstep.errors import LockstepError
from lockstep.settings import documented, load_settings

CANARY = "canary-7f3a"


def test_nothing_said_gives_the_defaults() -> None:
    settings = load_settings({"HOME": "/root", "PATH": "/bin"})

    assert settings.data == Path("lockstep-data")
    assert settings.outbound_allow == ()
    assert settings.database_urls == {}
    assert settings.cycle_interval == timedelta(minutes=40)
    assert settings.origins["port"] == "default"


def test_flag_wins_over_the_environment() -> None:
    settings = load_settings({"LOCKSTEP_DATA": "/a", "LOCKSTEP_PORT": "9000"}, {"data": "/b", "port": None})

    assert (settings.data, settings.port) == (Path("/b"), 9000)
    assert (settings.origins["data"], settings.origins["port"]) == ("flag", "LOCKSTEP_PORT")


def test_misspelt_variable_is_refused_with_the_likely_one() -> None:
    with pytest.raises(LockstepError, match="Unknown setting LOCKSTEP_OUTBOUND_ALOW") as refused:
        load_settings({"LOCKSTEP_OUTBOUND_ALOW": "10.0.0.0/8"})

    assert "Did you mean LOCKSTEP_OUTBOUND_ALLOW?" in refused.value.next_step


def test_variable_may_be_given_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "level").write_text("debug\n")
    (tmp_path / "url").write_text(f"postgresql://u:{CANARY}@h/d\n")

    settings = load_settings(
        {"LOCKSTEP_LOG_LEVEL_FILE": str(tmp_path / "level"), "DATABASE_URL_FILE": str(tmp_path / "url")}
    )

    assert settings.log_level == "debug"
    assert settings.database_urls == {"lockstep": f"postgresql://u:{CANARY}@h/d"}


def test_unreadable_file_of_a_variable_is_refused() -> None:
    with pytest.raises(LockstepError, match="LOCKSTEP_KEY_FILE names /nowhere"):
        load_settings({"LOCKSTEP_KEY_FILE": "/nowhere"})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LOCKSTEP_PORT", "99999"),
        ("LOCKSTEP_PORT", "-1"),
        ("LOCKSTEP_PORT", "８０"),
        ("LOCKSTEP_LOG_LEVEL", "loud"),
        ("LOCKSTEP_CYCLE_INTERVAL", "0m"),
        ("LOCKSTEP_CYCLE_INTERVAL", "forty"),
        ("LOCKSTEP_WORKER_CONCURRENCY", "0"),
        ("LOCKSTEP_OUTBOUND_ALLOW", "example.org"),
        ("LOCKSTEP_OUTBOUND_ALLOW", "https://example.org/path"),
        ("LOCKSTEP_OUTBOUND_ALLOW", "ftp://example.org"),
        ("LOCKSTEP_OUTBOUND_ALLOW", "10.1.2.3/8"),
        ("LOCKSTEP_OUTBOUND_ALLOW", "http://169.254.169.254"),
    ],
)
def test_impossible_value_is_refused_by_the_name_of_its_variable(variable: str, value: str) -> None:
    with pytest.raises(LockstepError, match=variable):
        load_settings({variable: value})


def test_origins_and_networks_are_brought_into_one_spelling() -> None:
    allow = "http://LOCALHOST, https://scim.example.org:8443/ 10.0.0.0/8,::1"

    settings = load_settings({"LOCKSTEP_OUTBOUND_ALLOW": allow})

    assert settings.outbound_allow == ("http://localhost:80", "https://scim.example.org:8443", "10.0.0.0/8", "::1/128")


def test_settings_do_not_show_secrets() -> None:
    settings = load_settings(
        {"LOCKSTEP_KEY": CANARY, "LOCKSTEP_KEY_OLDER": CANARY, "DATABASE_URL": f"postgresql://u:{CANARY}@h/d"}
    )

    assert CANARY not in repr(settings)


def test_every_variable_has_a_meaning_and_the_port_of_a_platform_counts() -> None:
    assert all(variable.startswith("LOCKSTEP_") and meaning for variable, meaning, _ in documented())
    assert load_settings({"PORT": "5000"}).port == 5000
