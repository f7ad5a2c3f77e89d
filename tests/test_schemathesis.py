"""Schemathesis: generated requests and sequences against the contract, on both databases and the mock."""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from schemathesis import engine
from schemathesis.cli.commands.run.warnings import WarningCollector
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    PhasesConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.core import NotSet
from schemathesis.engine import events
from schemathesis.generation import GenerationMode
from schemathesis.schemas import BaseSchema

import app
import settings
from mock.accounts import SECRETS
from models import keys, organizations, shares, tracks
from models.access import Caller
from models.db import migrate
from models.share_tokens import ShareTokens
from models.shares import Terms
from ops import demo
from ops.demo_shares import TOKEN
from tools.testing import databases, log_settings
from tools.testing.service import ALICE, BOB, HOME, NO_TRACK, PEPPER, READ, WRITE, operations
from web.application import Application
from web.asgi import App
from web.playback import Playback
from web.telemetry import log_config

pytestmark = pytest.mark.slow
# `make fuzz` sets more examples and other seeds.
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "20"))
SEED = os.environ.get("SCHEMATHESIS_SEED")
TAGS = ("If-Match", "If-None-Match")
READS = ("get_collection", "list_collection_tracks")
TRACK_FIELDS = {"track_id", "cover_track_id"}
TRACK_ID = re.compile("mtrack_[0-9a-f]{12}")
SPARE_TRACKS = 200
WRONGLY_ACCEPTED = "Schema-violating request accepted"
# What an engine can do is told by list_engines, not by the schema.
_POSSIBLE = {
    "create_generation": {"engine": "studio", "duration_seconds": 30, "lyrics": None, "seed_track_id": None},
    "start_focus_session": {"engine": "studio", "custom_prompt": "rain"},
}
# No generated request has a valid seal.
SEALED = {"get_audio"}


@contextmanager
def served(kind: str, folder_factory: pytest.TempPathFactory, project: ProjectConfig) -> Iterator[BaseSchema]:
    """The schema as the application publishes it, with two users and a track."""
    folder = folder_factory.mktemp("generated")
    application_of_kind = _mock() if kind == "mock" else _service(kind, folder)
    with log_settings.restored(), application_of_kind as (application, secrets, track_ids):
        log_config.configure(level="error")  # access logs would hide the findings
        organization = demo.ORGANIZATION if kind == "mock" else HOME
        project.update(parameters={"path.organization_id": organization})
        _configure_users(project, folder / "users.json", secrets)
        config = SchemathesisConfig(projects=ProjectsConfig(default=project), seed=int(SEED or 1))
        known = schemathesis.hook("before_call")(_valid_references(track_ids))
        try:
            schema = schemathesis.openapi.from_asgi("/v1/openapi.json", application, config=config)
            schema.location = None  # else Schemathesis skips the operation that returned it
            yield schema
        finally:
            schemathesis.hooks.unregister(known)


@contextmanager
def _service(kind: str, folder: Path) -> Iterator[tuple[App, dict[str, str], list[str]]]:
    """The service on a new database, keys of two users, and a track id."""
    with databases.fresh(kind, folder) as url:
        migrate.upgrade(url)
        application = app.create_app(
            _settings(DATABASE_URL=url, KEY_PEPPER=PEPPER, AUDIO_URL=(folder / "audio").as_uri())
        )
        with application.database.use():
            secrets, track_ids = _create_users()
            _give_audio(application, track_ids[0])
        yield application, secrets, track_ids
        application.database.close()


@contextmanager
def _mock() -> Iterator[tuple[App, dict[str, str], list[str]]]:
    """The mock, keys of two users, and a track id."""
    application = app.create_mock(_settings())
    secrets = {ALICE: SECRETS["alice"], BOB: SECRETS["bob"]}
    yield application, secrets, [piece.track_id for piece in demo.TRACKS]


def _create_users() -> tuple[dict[str, str], list[str]]:
    secrets = {user: _key(user) for user in (ALICE, BOB)}
    made = [tracks.add(HOME, ALICE, title=f"Track {number}") for number in range(SPARE_TRACKS)]
    track_ids = [track.id for track in made if track is not None]
    alice, digest = Caller(ALICE, frozenset({HOME}), frozenset(), None), ShareTokens(PEPPER.encode()).digest(TOKEN)
    shares.share_track(alice, HOME, track_ids[0], Terms(), digest)
    return secrets, track_ids


def _give_audio(application: Application, track_id: str) -> None:
    playback = application.playback
    assert isinstance(playback, Playback)
    stored = playback.store.write_bytes(HOME, track_id, "audio/mpeg", b"some audio")
    track = tracks.find(HOME, track_id)
    assert track is not None
    assert tracks.attach_audio(track, stored, 1000) is not None


def _settings(**given: str) -> settings.Settings:
    given |= {"RATE_LIMIT": "off"}
    return settings.load({f"MUSIC_STUDIO_{name}": given[name] for name in given})


def _key(user: str) -> str:
    organizations.join(HOME, user)
    return keys.make(HOME, user, [READ, WRITE], pepper=PEPPER.encode())[1]


def _configure_users(project: ProjectConfig, file: Path, secrets: dict[str, str]) -> None:
    """Users in the format of Web Fuzzing Commons: alice sends the requests, bob must not see her resources."""
    users = [{"name": user, "fixedHeaders": [{"name": "X-API-Key", "value": key}]} for user, key in secrets.items()]
    file.write_text(json.dumps({"auth": users}), encoding="utf-8")
    project.auth.update(wfc_path=str(file), wfc_user=ALICE)
    assert project.auth.wfc is not None
    project.auth.wfc.peers = list(secrets)


def _valid_references(track_ids: list[str]) -> Callable[..., None]:
    """Hook for what OpenAPI cannot express: tracks and tokens exist, engines can do what is asked, keys are unique.

    All requests name the first track, except those that delete one: each of these names another, while there are any.
    """
    track_id, *spare = track_ids
    used: set[str] = set()

    def before_call(_context: object, case: Any, _kwargs: object) -> None:
        path = case.path_parameters or {}
        if TRACK_ID.fullmatch(str(path.get("track_id"))):
            deletes = case.operation.definition.raw["operationId"] == "delete_track"
            path["track_id"] = track_id if not deletes else spare.pop() if spare else NO_TRACK
        path |= _valid_token(path)
        if isinstance(case.body, dict):
            for name in TRACK_FIELDS & case.body.keys():
                if TRACK_ID.fullmatch(str(case.body[name])):
                    case.body[name] = track_id
        if _is_positive(case):
            possible = _POSSIBLE.get(case.operation.definition.raw["operationId"], {})
            case.body = case.body | possible if possible else case.body
        for place, name in ((case.headers, "Idempotency-Key"), (case.body, "idempotency_key")):
            _use_once(place, name, used)
        _drop_wrong_tags(case)

    return before_call


def _use_once(place: Any, name: str, used: set[str]) -> None:
    """Replaces a valid key that an earlier request had, with another body perhaps."""
    key = place.get(name) if isinstance(place, MutableMapping) else None
    if isinstance(key, str) and key in used and re.fullmatch("[!-~]{1,255}", key):
        place[name] = uuid4().hex
    used.add(str(key))


def _valid_token(path: dict[str, Any]) -> dict[str, str]:
    """The token of a link, in the place of one that nobody has, and the place of its only track."""
    known = {"token": ("shr_[0-9a-f]{32}", TOKEN), "position": ("[1-9][0-9]{0,2}", "1")}
    return {name: value for name, (form, value) in known.items() if re.fullmatch(form, str(path.get(name)))}


def _is_valid_without_body(recorder: Any, case_id: str, failure: Any) -> bool:
    """Whether a request without its optional body was taken for an invalid one.

    When a path parameter has been replaced, Schemathesis 4.32 decides again what is valid, and says that a body which
    is not there is not. What it generated is then still described as a positive case.
    """
    case = recorder.cases[case_id].value
    is_optional = not case.operation.definition.raw.get("requestBody", {"required": True}).get("required", False)
    left_out = is_optional and isinstance(case.body, NotSet)
    return left_out and failure.title == WRONGLY_ACCEPTED and case.meta.phase.data.description == "Positive test case"


def _method(recorder: Any, case_id: str) -> str:
    """The method of the operation; the request may have another one, which is answered as that of no operation."""
    return str(recorder.cases[case_id].value.operation.method).upper()


def _drop_wrong_tags(case: Any) -> None:
    """Removes invalid entity tags, because Schemathesis 4.32 generates no valid ones."""
    if _is_positive(case):
        for name in TAGS:
            if (case.headers or {}).get(name) == "0":
                del case.headers[name]


def _is_positive(case: Any) -> bool:
    return case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE


class Findings:
    """Failures and coverage of a run."""

    def __init__(self, schema: BaseSchema) -> None:
        self.failures: list[str] = []
        self.cases = 0
        self.checks: Counter[str] = Counter()
        self.statuses: dict[str, set[int]] = {}
        self.links: set[str] = set()
        self.asked_as: dict[str, set[str]] = {ALICE: set(), BOB: set()}
        warnings = WarningCollector(schema.config)
        context: Any = SimpleNamespace(find_operation=schema.find_operation_by_label)
        for event in engine.from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                self._record(event.recorder)
                warnings.on_scenario_finished(context, event)
            elif isinstance(event, (events.NonFatalError, events.FatalError)):
                self.failures.append(repr(event))
        self.missing = warnings.data.missing_test_data

    def _record(self, recorder: Any) -> None:
        for case_id, checks in recorder.checks.items():
            self.checks.update(check.name for check in checks)
            found = [check.failure_info.failure for check in checks if check.failure_info is not None]
            found = [failure for failure in found if not _is_valid_without_body(recorder, case_id, failure)]
            self.failures += [
                f"{failure.title}\n{failure.message}\n{self._shown(recorder, case_id)}" for failure in found
            ]
        self.cases += len(recorder.interactions)
        for case_id, interaction in recorder.interactions.items():
            if interaction.response is not None and interaction.request.method in (_method(recorder, case_id), "HEAD"):
                label = recorder.cases[case_id].value.operation.definition.raw["operationId"]
                statuses = self.statuses.setdefault(label, set())
                if interaction.request.method != "OPTIONS":  # the answer to a preflight request is not the operation's
                    statuses.add(interaction.response.status_code)
                self.asked_as.setdefault(recorder.cases[case_id].value.auth_identity, set()).add(label)
                self._follow(recorder.cases[case_id], interaction.response.status_code)

    def _follow(self, node: Any, status: int) -> None:
        """Records a link of the contract with a successful response."""
        if node.is_transition_applied and not node.transition.is_inferred and status < 300:
            self.links.add(node.transition.id)

    def _shown(self, recorder: Any, case_id: str) -> str:
        return str(recorder.cases[case_id].value.as_curl_command())


@pytest.mark.parametrize("kind", [*databases.KINDS, "mock"])
def test_generated_requests_conform_to_the_contract(kind: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    generation = GenerationConfig(max_examples=EXAMPLES, deterministic=SEED is None)
    project = ProjectConfig(generation=generation, checks=_checks(), phases=PhasesConfig.from_dict(_NO_ERROR_FEEDBACK))
    with served(kind, tmp_path_factory, project) as schema:
        found = Findings(schema)
    print(f"{kind}: {found.cases} requests, seed {SEED or 'fixed'}")  # noqa: T201 - a long run reports it
    assert not found.failures, "\n\n".join(found.failures)
    assert not found.missing, f"{found.missing} only got unknown ids"
    poor = {name for name, statuses in found.statuses.items() if not statuses & {200, 201, 202, 206, 303}}
    assert set(found.statuses) == {operation.id for operation in operations()}
    assert poor == SEALED, f"{poor} never succeeded"


@pytest.mark.parametrize("kind", [*databases.KINDS, "mock"])
def test_stateful_sequences_conform_to_the_contract(kind: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    # With the security parameters generated, the checks on created and deleted resources do not run.
    generation = GenerationConfig(max_examples=EXAMPLES, deterministic=SEED is None, with_security_parameters=False)
    project = ProjectConfig(generation=generation, phases=PhasesConfig.from_dict(_ONLY_STATEFUL), checks=_checks())
    with served(kind, tmp_path_factory, project) as schema:
        found = Findings(schema)
    print(f"{kind}: {found.cases} requests in sequences, {len(found.links)} links, seed {SEED or 'fixed'}")  # noqa: T201
    assert not found.failures, "\n\n".join(found.failures)
    assert {"use_after_free", "ensure_resource_availability"} <= set(found.checks)
    assert found.links, "no link of the contract was followed successfully"


def test_other_users_cannot_read_created_resources(tmp_path_factory: pytest.TempPathFactory) -> None:
    generation = GenerationConfig(max_examples=EXAMPLES, deterministic=SEED is None, with_security_parameters=False)
    project = ProjectConfig(generation=generation, phases=PhasesConfig.from_dict(_ONLY_STATEFUL), checks=_checks())
    # With few operations, each sequence creates and reads; only reads are repeated as another user.
    with served("sqlite", tmp_path_factory, project) as schema:
        found = Findings(schema.include(operation_id=["create_collection", *READS]))
    assert not found.failures, "\n\n".join(found.failures)
    assert found.checks["object_level_authorization"]
    assert found.asked_as[BOB] >= set(READS), f"Of {READS}, bob only tried {found.asked_as[BOB]}."


def _checks() -> ChecksConfig:
    """All checks; a valid If-Match may still have another version."""
    accepted = ["2xx", "3xx", "401", "403", "404", "409", "412"]
    refused = ["400", "401", "403", "404", "405", "406", "409", "412", "413", "414", "415", "422", "431"]
    return ChecksConfig.from_dict(
        {
            "positive_data_acceptance": {"expected-statuses": accepted},
            "negative_data_rejection": {"expected-statuses": refused},
        }
    )


# Off, because Schemathesis would misread the error messages as those of frameworks that it knows.
_NO_ERROR_FEEDBACK: dict[str, Any] = {"fuzzing": {"error-feedback": {"enabled": False}}}
_ONLY_STATEFUL: dict[str, Any] = {name: {"enabled": False} for name in ("examples", "coverage", "fuzzing")}
