"""Every field of OpenAPI 3.0 is done, means nothing to a server, or is refused: with contracts made from the table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tools.contract import keywords_page
from tools.testing import keyword_cases, refused_contracts
from tools.testing.keyword_cases import Case, Row
from tools.testing.small_service import SmallService, write
from web.contract import conformance, document, objects
from web.contract.nodes import Node, nodes
from web.contract.rules import RULES
from web.exceptions import ContractError

TABLE = conformance.table()
CASES = keyword_cases.cases()
REFUSED = dict(refused_contracts.of_fields())
BROKEN = refused_contracts.of_rules()
PUBLISHED: dict[str, Any] = json.loads(
    (files("openapi_spec_validator") / "resources" / "schemas" / "v3.0" / "schema.json").read_text(encoding="utf-8")
)
# The published schema has one definition for each type of security scheme and OAuth flow; the standard has one object.
ONE_OBJECT = {
    "SecurityScheme": ("APIKey", "HTTP", "OAuth2", "OpenIdConnect"),
    "OAuthFlow": ("Implicit", "Password", "ClientCredentials", "AuthorizationCode"),
}
NO_OBJECTS = ("Reference", "ExampleXORExamples", "SchemaXORContent", "ParameterLocation")
METHODS = re.compile(r"\^\(([a-z|]+)\)\$")


def rows(state: str) -> set[Row]:
    """The rows of the table with a state: object, field, and value if the field has a row for each value."""
    found = set()
    for kind, fields in TABLE["objects"].items():
        for field, states in fields.items():
            words = {(word,): each for word, each in states.items()} if isinstance(states, dict) else {(): states}
            found |= {(kind, field, *word) for word, each in words.items() if each == state}
    return found


def test_the_table_has_every_field_of_the_published_schema_and_no_other() -> None:
    for kind, fields in TABLE["objects"].items():
        ours = {field for field in fields if not field.startswith("x-")}
        assert ours - set(_patterns(kind)) == _published_fields(kind), kind
    definitions = {name for name in PUBLISHED["definitions"] if not _is_part(name)}
    assert set(TABLE["objects"]) == set(objects.FIELDS) == definitions | {"OpenAPI", *ONE_OBJECT}


def test_every_field_holds_the_object_that_the_published_schema_says() -> None:
    for kind, fields in objects.FIELDS.items():
        for field in _published_fields(kind) | set(fields):
            assert objects.child(kind, field) == _published_child(kind, field), f"{kind}.{field}"


def test_every_done_row_has_a_case_and_no_other_row_has_one() -> None:
    assert rows("done") == set(CASES), (
        "Each row of web/contract/keywords.yaml that says `done` needs two contracts in tools/testing/keyword_cases.py "
        "that differ in it and answer differently."
    )


def test_every_rule_has_a_row_and_a_contract_that_breaks_it() -> None:
    conditions = {
        (kind, condition): state for kind, states in TABLE["rules"].items() for condition, state in states.items()
    }
    assert set(conditions) == set(RULES)
    refused = {row for row, state in conditions.items() if state not in conformance.ACCEPTED}
    assert refused == set(BROKEN), "Each refused rule needs a contract in tools/testing/refused_contracts.py."


def test_the_page_of_the_documentation_is_that_of_the_table() -> None:
    assert keywords_page.FILE.read_text(encoding="utf-8") == keywords_page.page(), "Run make generate."


def test_the_project_s_own_contract_is_supported() -> None:
    assert conformance.findings(document.load()) == []


def test_the_small_contract_is_supported(tmp_path: Path) -> None:
    service = SmallService(write(tmp_path, refused_contracts.small()))
    assert service.ask("GET", "/v1/things/a").status == 200


@pytest.mark.parametrize("row", sorted(CASES), ids="-".join)
def test_a_done_keyword_changes_an_answer(row: Row, tmp_path: Path) -> None:
    case = CASES[row]
    assert _uses(case, row, tmp_path), f"The first contract of the case does not use {row}."
    service = SmallService(write(tmp_path, case.one, **case.files), case.handlers, **case.settings)
    answers = [service.ask(r.method, r.path, headers=r.headers, json=r.json) for r in case.requests]
    assert answers != _other_answers(case, tmp_path)


@pytest.mark.parametrize("row", sorted(REFUSED), ids="-".join)
def test_a_refused_keyword_is_named_with_its_place(row: Row) -> None:
    refused = REFUSED[row]
    found = conformance.findings(refused.document)
    assert (refused.title, refused.keyword, refused.sentence) in {finding[:3] for finding in found}, found


@pytest.mark.parametrize(("kind", "condition"), sorted(BROKEN))
def test_a_broken_rule_is_named_with_its_place(kind: str, condition: str) -> None:
    broken = refused_contracts.small()
    title = BROKEN[kind, condition](broken)
    sentence = TABLE["rules"][kind][condition]
    found = conformance.findings(broken)
    assert any(
        (each.title, each.sentence) == (title, sentence) and each.keyword.startswith(condition) for each in found
    ), found


def test_all_findings_are_reported_at_once() -> None:
    broken = refused_contracts.small()
    broken["paths"]["/things"]["post"] |= {"callbacks": {}, "x-module": "handlers.things"}
    broken["paths"]["/things/{thing_id}"]["get"]["responses"]["default"] = {"description": "Anything."}
    with pytest.raises(ContractError) as error:
        conformance.require_supported(broken)
    lines = str(error.value).splitlines()[1:]
    assert sorted(line.split(": ")[:2] for line in lines) == [
        ["/things POST", "`callbacks`"],
        ["/things POST", "`x-module`"],
        ["/things/{thing_id} GET", "`default`"],
    ]


def test_what_is_not_valid_openapi_is_named_with_its_place() -> None:
    broken = refused_contracts.small()
    broken["paths"]["/things"]["post"] |= {"requestBody": [], "resposes": {}}
    broken["components"]["schemas"]["Wrong"] = {"type": "text", "required": []}
    found = {(finding.title, finding.pointer) for finding in conformance.findings(broken)}
    assert found == {
        ("/things POST", "#/paths/~1things/post/requestBody"),
        ("/things POST", "#/paths/~1things/post"),
        ("components/schemas", "#/components/schemas/Wrong/type"),
        ("components/schemas", "#/components/schemas/Wrong/required"),
    }


def _uses(case: Case, row: Row, folder: Path) -> bool:
    loaded = document.load(write(folder, case.one, **case.files))
    if row == ("PathItem", "$ref"):
        return loaded != case.one  # a path item's reference is gone when the document is bundled
    return any(_has(node, row) for node in nodes(loaded))


def _has(node: Node, row: Row) -> bool:
    states = TABLE["objects"][node.kind]
    fields = [field for field in node.value if (node.kind, conformance.row(states, field)) == row[:2]]
    return any(len(row) == 2 or row[2] in _words(states[row[1]], node.value[field]) for field in fields)


def _words(states: dict[str, str], value: Any) -> list[str | None]:
    return [conformance.row(states, word) for word in conformance.words(value)]


def _other_answers(case: Case, folder: Path) -> Any:
    try:
        service = SmallService(write(folder, case.other, **case.files), case.handlers, **case.settings)
    except ContractError as error:
        return str(error)
    return [service.ask(r.method, r.path, headers=r.headers, json=r.json) for r in case.requests]


def _patterns(kind: str) -> Iterator[str]:
    """The fields of an object that have a pattern instead of a name."""
    fixed = _published_fields(kind)
    return (
        field for field in TABLE["objects"][kind] if (field not in fixed and set("*[") & set(field)) or field == "/*"
    )


def _definitions(kind: str) -> list[Any]:
    if kind == "OpenAPI":
        return [PUBLISHED]
    prefixes = ONE_OBJECT.get(kind, ("",))
    return [
        node
        for name, node in PUBLISHED["definitions"].items()
        if name == kind or (kind in ONE_OBJECT and name.startswith(prefixes) and _is_part(name))
    ]


def _is_part(name: str) -> bool:
    parts = tuple(name for names in ONE_OBJECT.values() for name in names)
    return name.startswith(parts) or name in (
        "Reference",
        "ExampleXORExamples",
        "SchemaXORContent",
        "ParameterLocation",
    )


def _published_fields(kind: str) -> set[str]:
    found: set[str] = set()
    for definition in _definitions(kind):
        found |= set(definition.get("properties", {}))
        for pattern in definition.get("patternProperties", {}):
            methods = METHODS.fullmatch(pattern)
            found |= set(methods[1].split("|")) if methods else set()
    return found


def _published_child(kind: str, field: str) -> str | None:
    for definition in _definitions(kind):
        patterns = definition.get("patternProperties", {}).items()
        matching = [
            node for pattern, node in patterns if pattern != "^x-" and (field == "*" or re.search(pattern, field))
        ]
        found = definition.get("properties", {}).get(field) or next(iter(matching), None)
        extra = definition.get("additionalProperties")
        found = extra if found is None and isinstance(extra, dict) else found
        if found is not None:
            return _kind(found)
    return None


def _kind(schema: Any) -> str | None:
    """The object that a schema of the published schema stands for, in the notation of objects.FIELDS."""
    options = schema.get("oneOf", [schema])
    names = [each["$ref"].rpartition("/")[2] for each in options if "$ref" in each]
    known = [name for name in names if name != "Reference"]
    if known:
        name = "OAuthFlow" if known[0].endswith(("OAuthFlow", "CredentialsFlow")) else known[0]
        return name if name in objects.FIELDS else _kind(PUBLISHED["definitions"][known[0]])
    if schema.get("type") == "array" and _kind(schema["items"]):
        return f"[{_kind(schema['items'])}]"
    inner = schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), None)
    held = _kind(inner) if isinstance(inner, dict) else None
    return f"{{{held}}}" if held else None
