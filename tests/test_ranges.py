"""Range and If-Range of audio (RFC 9110 sections 13.1.5 and 14): generated header fields against a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from models.tracks import Track
from tools.testing.played import Played, playing, sealed
from tools.testing.range_cases import CONTENT, EXAMPLES, SIZE, Asked, check, requests


@pytest.fixture(scope="module", params=["folder", "memory"])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    location: dict[str, Any] = {} if request.param == "folder" else {"audio_url": "memory:///"}
    with playing(tmp_path_factory.mktemp("played"), **location) as running:
        yield running


@pytest.fixture(scope="module")
def track(played: Played) -> Track:
    return played.add(CONTENT)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests())
@pytest.mark.slow
def test_range_and_if_range_get_what_the_model_says(played: Played, track: Track, asked: Asked) -> None:
    check(played.client, sealed(track.id), asked)


@pytest.mark.parametrize("asked", [*EXAMPLES, Asked({"Range": f"bytes=0-{'9' * 20_000}"}, (206, 0, SIZE))])
def test_edges_of_ranges(played: Played, track: Track, asked: Asked) -> None:
    check(played.client, sealed(track.id), asked)


def test_repeated_range_is_malformed(played: Played, track: Track) -> None:
    fields = [("Range", "bytes=0-1"), ("Range", "bytes=2-3")]
    assert played.client.get(sealed(track.id), headers=fields).status_code == 400
