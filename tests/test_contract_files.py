"""Reading a contract: YAML 1.2 with unique keys, and files bundled into one document."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from web.contract import document, yaml_loader
from web.contract.bundle import bundle
from web.exceptions import ContractError

SCALARS = {
    "on": "on", "off": "off", "yes": "yes", "no": "no", "y": "y", "12:30": "12:30", "2001-01-01": "2001-01-01",
    "2001-01-01T00:00:00Z": "2001-01-01T00:00:00Z", "0755": "0755", "1_000": "1_000", "0b1": "0b1", ".inf": ".inf",
    ".nan": ".nan", "0o17": 15, "0x1F": 31, "017.5": "017.5", "12": 12, "-3": -3, "+4": 4, "0": 0, "1e3": 1000.0,
    "1.5": 1.5, ".5": 0.5, "-1.": -1.0, "true": True, "False": False, "null": None, "~": None, "": None, "=": "=",
    "'1'": "1", "nope": "nope", "nullable": "nullable", "truer": "truer", "3.0.3": "3.0.3",
}  # fmt: skip
UNKNOWN_TAG = "could not determine a constructor for the tag 'tag:yaml.org,2002:{}'"
NAMED = {"$ref": "#/components/schemas/Named"}


@pytest.mark.parametrize("text", SCALARS)
def test_scalars_are_those_of_yaml_1_2(text: str, tmp_path: Path) -> None:
    found = _read(tmp_path, f"value: {text}\n")["value"]
    assert (type(found), found) == (type(SCALARS[text]), SCALARS[text])


@pytest.mark.parametrize("key", ["200", "true", "on", "null", "1.5", "~", "'200'"])
def test_keys_are_text(key: str, tmp_path: Path) -> None:
    assert _read(tmp_path, f"{key}: 1\n") == {key.strip("'"): 1}


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a:\n  b: 1\n  c: 2\n  b: 3\n", 4, "the key `b` occurs twice in one mapping"),
        ("'200': 1\n200: 2\n", 2, "the key `200` occurs twice in one mapping"),
        ('{"a": 1, "a": 2}', 1, "the key `a` occurs twice in one mapping"),
        ("? [a]\n: 1\n", 1, "a key is not text"),
        ("a: [1\n", 2, "did not find expected ',' or ']'"),
        ("a: !!set {b}\n", 1, UNKNOWN_TAG.format("set")),
        (
            "a: !!timestamp 2001-01-01\n",
            1,
            UNKNOWN_TAG.format("timestamp"),
        ),
        ("a: *b\n", 1, "found undefined alias"),
    ],
)
def test_a_fault_is_named_with_file_and_line(text: str, line: int, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ContractError) as error:
        _read(tmp_path, text)
    assert str(error.value) == f"{tmp_path / 'contract.yaml'}, line {line}: {problem}."


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "contract.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ContractError, match=r"contract\.yaml"):
        yaml_loader.read(tmp_path / "contract.yaml")


def test_a_merged_mapping_may_be_overridden(tmp_path: Path) -> None:
    text = "base: &base {a: 1, b: 2}\nmore:\n  <<: *base\n  b: 3\n"
    assert _read(tmp_path, text)["more"] == {"a": 1, "b": 3}


def test_numbers_of_json_are_read_as_json_reads_them(tmp_path: Path) -> None:
    found = _read(tmp_path, '{"a": -1.5E+2, "b": 1e-3, "c": 123456789012345678}')
    assert found == {"a": -150.0, "b": 0.001, "c": 123456789012345678}
    assert math.copysign(1, _read(tmp_path, "a: -0.0")["a"]) == -1


def test_references_in_data_are_data(tmp_path: Path) -> None:
    data = {"$ref": "#/definitions/Thing"}
    schema = {
        "type": "object", "properties": {"default": NAMED, "example": {"type": "string"}},
        "default": data, "example": data, "enum": [data], "x-shown": data,
    }  # fmt: skip
    media = {"schema": schema, "example": data}
    shown = {"schema": schema, "examples": {"one": {"value": data}, "two": {"$ref": "#/components/examples/Two"}}}
    found = _bundle(
        tmp_path,
        {
            "paths": {"/a": {"post": {"requestBody": {"content": {"application/json": media}}, "responses": {}}}},
            "components": {
                "schemas": {"Named": {"type": "string"}},
                "responses": {"Shown": {"description": "", "content": {"application/json": shown}}},
                "examples": {"Two": {"value": data}},
            },
            "x-anything": data,
        },
    )
    assert found["paths"]["/a"]["post"]["requestBody"]["content"]["application/json"] == media
    assert found["components"]["responses"]["Shown"]["content"]["application/json"] == shown
    assert found["x-anything"] == data


def test_a_reference_to_a_named_component_is_kept_and_any_other_is_inlined(tmp_path: Path) -> None:
    _write(tmp_path, "schemas", {"Named": {"items": {"$ref": "#/Inner"}}, "Inner": {"type": "integer"}})
    found = _bundle(
        tmp_path,
        {
            "components": {
                "schemas": {
                    "Named": {"$ref": "schemas.yaml#/Named"},
                    "One": {"allOf": [{"$ref": "schemas.yaml#/Named"}, {"$ref": "schemas.yaml#/Inner"}]},
                    "Other": {"allOf": [{"$ref": "#/components/schemas/One/allOf/1"}]},
                }
            }
        },
    )
    schemas = found["components"]["schemas"]
    assert schemas["Named"] == {"items": {"type": "integer"}}
    assert schemas["One"] == {"allOf": [{"$ref": "#/components/schemas/Named"}, {"type": "integer"}]}
    assert schemas["Other"] == {"allOf": [{"type": "integer"}]}


def test_a_schema_that_contains_itself_is_kept_if_it_is_named(tmp_path: Path) -> None:
    tree = {"properties": {"kids": {"items": {"$ref": "#/Tree"}}}}
    _write(tmp_path, "schemas", {"Tree": tree})
    found = _bundle(tmp_path, {"components": {"schemas": {"Tree": {"$ref": "schemas.yaml#/Tree"}}}})
    assert found["components"]["schemas"]["Tree"]["properties"]["kids"]["items"] == {
        "$ref": "#/components/schemas/Tree"
    }


def test_discriminator_mapping_names_the_components_of_the_document(tmp_path: Path) -> None:
    mapping = {"cat": "#/Cat", "dog": "Dog", "cow": "#/components/schemas/Cow"}
    pet = {"discriminator": {"propertyName": "kind", "mapping": mapping}}
    _write(tmp_path, "pets", {"Pet": pet, "Cat": {"type": "object"}})
    schemas = {"Pet": {"$ref": "pets.yaml#/Pet"}, "Cat": {"$ref": "pets.yaml#/Cat"}, "Dog": {}, "Cow": {}}
    found = _bundle(tmp_path, {"components": {"schemas": schemas}})["components"]["schemas"]["Pet"]
    assert found["discriminator"]["mapping"] == mapping | {"cat": "#/components/schemas/Cat"}


@pytest.mark.parametrize(
    ("schema", "at", "problem"),
    [
        ({"$ref": "#/components/schemas/Nobody"}, "", "`$ref: #/components/schemas/Nobody` leads nowhere."),
        ({"$ref": "#/paths/~1a/get"}, "", "`$ref: #/paths/~1a/get` leads nowhere."),
        ({"items": {"$ref": "other.yaml#/A"}}, "/items", "cannot read {folder}/other.yaml: No such file or directory."),
        ({"$ref": "#/components/responses/Gone"}, "", "refer to one of schemas."),
        (
            {"items": {"$ref": "parts.yaml#/Loop"}},
            "",
            "`$ref: #/Loop` leads back to itself; list its target in `components`.",
        ),
        ({"items": {"$ref": "parts.yaml#/A"}}, "", "`$ref: parts.yaml#/A` leads back to itself"),
        ({"items": {"$ref": "#/components/schemas/Me", "description": "Me."}}, "/items", "`description` beside `$ref`"),
        ({"$ref": "#/components/schemas/Me"}, "", "is a reference that leads back to itself."),
    ],
)
def test_a_fault_of_a_reference_is_named_with_file_and_pointer(
    schema: dict[str, Any], at: str, problem: str, tmp_path: Path
) -> None:
    loop = {"Loop": {"properties": {"a": {"$ref": "#/Loop"}}}, "A": {"items": {"$ref": "more.yaml#/B"}}}
    _write(tmp_path, "parts", loop)
    _write(tmp_path, "more", {"B": {"not": {"$ref": "parts.yaml#/A"}}})
    responses = {"Gone": {"description": "Gone."}}
    with pytest.raises(ContractError) as error:
        _bundle(tmp_path, {"components": {"schemas": {"Me": schema}, "responses": responses}})
    [line] = str(error.value).splitlines()
    place, _, sentence = line.partition(": ")
    assert problem.format(folder=tmp_path) in sentence
    assert place.startswith(str(tmp_path))
    assert place.endswith(at or place)


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    schemas = {"A": {"$ref": "#/components/schemas/X"}, "B": {"items": {"$ref": "#/components/schemas/Y"}}}
    with pytest.raises(ContractError) as error:
        _bundle(tmp_path, {"components": {"schemas": schemas}})
    assert len(str(error.value).splitlines()) == 2


def test_an_alias_that_contains_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "contract.yaml").write_text("components:\n  schemas:\n    A: &a\n      items: *a\n", encoding="utf-8")
    with pytest.raises(ContractError, match="contains itself through a YAML alias"):
        bundle(tmp_path / "contract.yaml")


@pytest.mark.parametrize("text", ["", "[]", "text", "1"])
def test_a_file_without_a_mapping_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "contract.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ContractError, match="is no OpenAPI document"):
        bundle(tmp_path / "contract.yaml")


def _read(folder: Path, text: str) -> Any:
    (folder / "contract.yaml").write_text(text, encoding="utf-8")
    return yaml_loader.read(folder / "contract.yaml")


def _write(folder: Path, name: str, content: Any) -> Path:
    (folder / f"{name}.yaml").write_text(json.dumps(content), encoding="utf-8")
    return folder / f"{name}.yaml"


def _bundle(folder: Path, content: Any) -> dict[str, Any]:
    return document.load(_write(folder, "contract", content))
