"""Settings: accepted and rejected values, and advice for renamed variables."""

import re
from pathlib import Path

import pytest

import setting_parsers
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
    assert {
        name for advice in setting_parsers.FORMER.values() for name in advice.replace(":", "").split() if "_" in name
    } <= (variables)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KEY_CACHE_SECONDS", "-1"),
        ("KEY_CACHE_SECONDS", "soon"),
        ("CORS_ORIGINS", "https://app.example/"),
        ("CORS_ORIGINS", "app.example"),
        ("CORS_ORIGINS", "* https://app.example"),
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
    with pytest.raises(
        settings.BadSetting, match=f"^MUSIC_STUDIO_{variable} is '{re.escape(value)}'; it must be .*\\.$"
    ):
        settings.load({f"MUSIC_STUDIO_{variable}": value})


def test_documented_values_are_accepted(tmp_path: Path) -> None:
    document = tmp_path / "openapi.yaml"
    document.touch()
    given = {"KEY_CACHE_SECONDS": "0", "KEEP_ALIVE_TIMEOUT_SECONDS": "5", "CONTRACT": str(document)}
    taken = settings.load({f"MUSIC_STUDIO_{name}": value for name, value in given.items()})
    assert (taken.key_cache_seconds, taken.keep_alive_timeout_seconds, taken.contract) == (0.0, 5, str(document))
    assert settings.load({"MUSIC_STUDIO_KEY_CACHE_SECONDS": "1.5"}).key_cache_seconds == 1.5
    assert Path(settings.load({}).contract).is_file()


def test_the_audio_store_is_a_folder_or_s3(tmp_path: Path) -> None:
    for url in ("file:///srv/audio", "file:///srv/a%20b", "s3://bucket", "s3://my.bucket-1/a/prefix/"):
        taken = settings.load({"MUSIC_STUDIO_AUDIO_URL": url})
        assert settings.audio_url(taken) == url
    beside = settings.load({"MUSIC_STUDIO_DATABASE_URL": f"sqlite:///{tmp_path}/studio.db"})
    assert settings.audio_url(beside) == (tmp_path / "audio").as_uri()
    apart = settings.load({"MUSIC_STUDIO_DATABASE_URL": "postgresql://db/music"})
    assert settings.audio_url(apart) == (settings.ROOT / "var" / "audio").as_uri()


@pytest.mark.parametrize(
    "url",
    ["memory:///", "audio", "/srv/audio", "file://srv/audio", "file:///srv?a", "s3://", "s3://B", "s3://a/b", "gs://bucket",
     "s3://key:c4nary@bucket", "s3://bucket/a b", "s3://bucket?c4nary=1"],
)  # fmt: skip
def test_no_other_audio_store_is_accepted(url: str) -> None:
    with pytest.raises(settings.BadSetting, match=r"^MUSIC_STUDIO_AUDIO_URL is .*; it must be file:///FOLDER or "):
        settings.load({"MUSIC_STUDIO_AUDIO_URL": url})


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT"])
@pytest.mark.parametrize("address", ["nonsense", "http://", "ftp://s3.example", "https://key:c4nary@s3.example"])
def test_an_endpoint_of_s3_must_be_an_address(variable: str, address: str) -> None:
    with pytest.raises(settings.BadSetting, match=f"^{variable} is not shown; it must be an address") as refusal:
        settings.load({"MUSIC_STUDIO_AUDIO_URL": "s3://bucket", variable: address})
    assert "c4nary" not in str(refusal.value)
    assert settings.load({variable: address}) == settings.Settings(), "who does not use S3 may have anything there"
