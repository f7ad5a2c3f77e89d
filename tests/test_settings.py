"""Settings: accepted and rejected values, and advice for renamed variables."""

from pathlib import Path

import pytest

import settings
from cli.settings import describe


@pytest.mark.parametrize(
    ("former", "advice"),
    [
        ("DATABASE_SETTLE_SECONDS", "is now MUSIC_STUDIO_REPLICA_LAG_SECONDS"),
        ("DATABASE_PREPARE", "is now MUSIC_STUDIO_PREPARED_STATEMENTS"),
        ("METRICS_FOLDER", "is now MUSIC_STUDIO_METRICS_DIR"),
        ("GRACE_SECONDS", "is now MUSIC_STUDIO_SHUTDOWN_TIMEOUT_SECONDS"),
        ("LANE", "is gone and nothing replaces it"),
    ],
)
def test_renamed_variable_is_rejected_with_its_new_name(former: str, advice: str) -> None:
    with pytest.raises(settings.BadSetting, match=f"^MUSIC_STUDIO_{former} {advice}.*\\.$"):
        settings.load({f"MUSIC_STUDIO_{former}": "5"})
    assert settings.load({f"MUSIC_STUDIO_{former}": ""}) == settings.Settings()


def test_new_names_in_the_advice_exist() -> None:
    variables = {row[0] for row in describe()}
    assert {name for advice in settings.FORMER.values() for name in advice.replace(":", "").split() if "_" in name} <= (
        variables
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KEY_CACHE_SECONDS", "-1"),
        ("KEY_CACHE_SECONDS", "soon"),
        ("KEY_CACHE_SECONDS", "nan"),
        ("KEY_CACHE_SECONDS", "3601"),
        ("HEADER_TIMEOUT_SECONDS", "0"),
        ("BODY_TIMEOUT_SECONDS", "1.5"),
        ("WRITE_TIMEOUT_SECONDS", "0"),
        ("KEEP_ALIVE_TIMEOUT_SECONDS", "3601"),
        ("SHUTDOWN_TIMEOUT_SECONDS", "-1"),
        ("REPLICA_LAG_SECONDS", "a while"),
        ("PREPARED_STATEMENTS", "yes"),
        ("CONTRACT", "nowhere.yaml"),
    ],
)
def test_malformed_value_is_rejected(variable: str, value: str) -> None:
    with pytest.raises(settings.BadSetting, match=f"^MUSIC_STUDIO_{variable} is '{value}'; it must be .*\\.$"):
        settings.load({f"MUSIC_STUDIO_{variable}": value})


def test_documented_values_are_accepted(tmp_path: Path) -> None:
    document = tmp_path / "openapi.yaml"
    document.touch()
    given = {"KEY_CACHE_SECONDS": "0", "KEEP_ALIVE_TIMEOUT_SECONDS": "5", "CONTRACT": str(document)}
    taken = settings.load({f"MUSIC_STUDIO_{name}": value for name, value in given.items()})
    assert (taken.key_cache_seconds, taken.keep_alive_timeout_seconds, taken.contract) == (0.0, 5, str(document))
    assert settings.load({"MUSIC_STUDIO_KEY_CACHE_SECONDS": "1.5"}).key_cache_seconds == 1.5
    assert Path(settings.load({}).contract).is_file()
