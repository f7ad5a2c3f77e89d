"""The reference of every contract that is served can be made, whatever its operations look like."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from docsite import client_names, samples
from docsite.operations import operations
from docsite.site import Site
from tools.testing import keyword_cases
from tools.testing.small_service import (
    Document,
    SmallService,
    document,
    errors,
    operation,
    parameter,
    response,
    write,
)
from web.contract import conformance
from web.contract import document as contract

pytestmark = pytest.mark.slow

CASES = keyword_cases.cases()
ORIGIN = "http://127.0.0.1:8080"
AWKWARD = 'It\'s $HOME ``` `x` "quoted" \\ back #{1} %s \b\f\r\n\u2028 \x01 """ end'
INLINE = {"type": "object", "properties": {"two-part": {"type": "string"}, "class": {}}, "additionalProperties": True}
TREE = {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}


def _reading(schema: Any, **fields: Any) -> Document:
    return document({"/things": {"get": operation("get_thing", {"200": response(schema, **fields)} | errors())}})


def _writing(schema: Any, method: str = "post", **media: Any) -> Document:
    sent = {"required": True, "content": {"application/json": {"schema": schema} | media}}
    return document({"/things": {method: operation("change_thing", requestBody=sent)}})


def _taking(place: str, schema: Any, **fields: Any) -> Document:
    taken = parameter("thing", place, schema, required=True, **fields)
    path = "/things/{thing}" if place == "path" else "/things"
    return document({path: {"get": operation("get_thing", parameters=[taken])}})


def _bare() -> Document:
    found = document({"/things": {"put": operation("change_thing")}})
    del found["tags"], found["info"]["description"]
    for name in ("summary", "description"):
        del found["paths"]["/things"]["put"][name]
    return found


CONTRACTS: dict[str, Document] = {
    "no body, summary, description or tags": _bare(),
    "response with an inline schema": _reading(INLINE),
    "response without an example": _reading({"type": "array", "items": {"type": "integer"}}),
    "response with any schema": _reading({}),
    "response with oneOf": _reading({"oneOf": [{"type": "string"}, INLINE]}),
    "response with a list of plain items": _reading(
        {"type": "object", "properties": {"items": {"type": "array", "items": {}}}, "x-shown": ["items"]}
    ),
    "response with unknown shown fields": _reading(INLINE | {"x-shown": ["two-part", "nothing"]}),
    "body with an inline schema": _writing(INLINE, example={"two-part": AWKWARD, "class": {}}),
    "body that is an array": _writing({"type": "array", "items": INLINE}, examples={"one": {"value": [AWKWARD]}}),
    "body that is a text": _writing({"type": "string"}, example=AWKWARD),
    "body without an example": _writing({"properties": {"a": {"allOf": [INLINE]}, "b": {"oneOf": [{}]}}}),
    "body with allOf": _writing({"allOf": [INLINE, {"type": "object", "required": ["c"], "properties": {"c": {}}}]}),
    "body with a property named items": _writing({"type": "object", "properties": {"items": {"type": "string"}}}),
    "body that contains itself": _writing({"$ref": "#/components/schemas/Tree"}),
    "parameter with its example in the schema": _taking("query", {"type": "integer", "minimum": 1, "example": 7}),
    "parameter with several examples": _taking("header", {"type": "string"}, examples={"one": {"value": AWKWARD}}),
    "parameter without an example": _taking("path", {"type": "string", "enum": ["a b"]}),
    "parameter that is a truth value": _taking("header", {"type": "boolean"}),
    "parameter with one bound": _taking("query", {"type": "integer", "maximum": 3}),
    "patch without a body": document({"/things": {"patch": operation("change_thing")}}),
    "delete": document({"/things": {"delete": operation("delete_thing")}}),
}  # fmt: skip
for _contract in CONTRACTS.values():
    _contract["components"]["schemas"]["Tree"] = TREE


@pytest.mark.parametrize("row", sorted(CASES), ids="-".join)
def test_every_page_of_a_supported_contract_is_made(row: tuple[str, ...], tmp_path: Path) -> None:
    found = contract.load(write(tmp_path, CASES[row].one, **CASES[row].files))
    assert not conformance.findings(found)
    _assert_pages(found)


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_page_of_an_unusual_contract_is_served(name: str, tmp_path: Path) -> None:
    service = SmallService(write(tmp_path, CONTRACTS[name]))
    _assert_pages(service.document)
    assert service.request("GET", "/docs/openapi.json").status_code == 200


def test_a_fence_is_longer_than_any_row_of_backticks_in_its_block() -> None:
    site = Site(CONTRACTS["body that is a text"], ORIGIN)
    page = site.page("api-reference/music/change-thing.md")
    assert page is not None
    text = page.content.decode()
    assert re.search(r"^````bash cURL\n[^\n]*\n", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["body with an inline schema", "body that is an array", "body that is a text"])
def test_samples_send_awkward_texts_as_they_are(name: str) -> None:
    [made] = operations(CONTRACTS[name])
    sent = samples.request(made, ORIGIN).body
    written = {language.template: samples.write(made, language, ORIGIN) for language in samples.LANGUAGES}
    assert _python_value(written["requests.py"]) == sent
    assert json.loads(_shell_value(written["curl.sh"])) == sent
    assert _javascript_value(written["fetch.mjs"]) == sent
    literal = samples.literal(sent, "typescript")
    assert literal in written["client.mts"]
    assert _evaluated(literal) == sent


@pytest.mark.skipif(not shutil.which("gofmt"), reason="gofmt is not installed")
@pytest.mark.parametrize("name", CONTRACTS)
def test_samples_of_go_are_valid(name: str) -> None:
    for made in operations(CONTRACTS[name]):
        source = samples.write(made, _language("client.go"), ORIGIN)
        done = subprocess.run(["gofmt"], input=source, capture_output=True, text=True, check=False)
        assert not done.stderr, done.stderr


@pytest.mark.skipif(not shutil.which("rustfmt"), reason="rustfmt is not installed")
@pytest.mark.parametrize("name", CONTRACTS)
def test_samples_of_rust_are_valid(name: str) -> None:
    for made in operations(CONTRACTS[name]):
        source = samples.write(made, _language("client.rs"), ORIGIN)
        command = ["rustfmt", "--edition", "2024", "--quiet"]
        done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{source}\n{done.stderr}"


@pytest.mark.skipif(not shutil.which("javac"), reason="javac is not installed")
def test_samples_of_java_are_valid(tmp_path: Path) -> None:
    """Without the client, javac misses its names only; it says so only of files that it can parse."""
    for number, name in enumerate(CONTRACTS):
        for made in operations(CONTRACTS[name]):
            file = tmp_path / str(number) / f"{client_names.pascal(made.id)}.java"
            file.parent.mkdir(exist_ok=True)
            file.write_text(samples.write(made, _language("client.java"), ORIGIN), encoding="utf-8")
    files = [str(file) for file in tmp_path.rglob("*.java")]
    done = subprocess.run(["javac", "-Xmaxerrs", "9999", *files], capture_output=True, text=True, check=False)
    errors = re.findall(r"error: (.*)", done.stderr)
    assert errors
    assert not [
        text for text in errors if not re.match("package .* does not exist|cannot find symbol|duplicate class", text)
    ], done.stderr


def test_literals_of_rust_have_its_escapes() -> None:
    assert samples.literal('"\b\f\n\x01\\b', "rust") == r'"\"\u{8}\u{c}\n\u{0001}\\b"'


def test_an_empty_object_of_php_is_no_array() -> None:
    assert samples.literal({"a": {}, "b": []}, "php") == "[\n    'a' => new stdClass(),\n    'b' => []\n]"


def _assert_pages(found: Document) -> None:
    site = Site(found, ORIGIN)
    for path in site.paths():
        page = site.page(path)
        assert page is not None, path
        assert page.content, path


def _language(template: str) -> samples.Language:
    return next(language for language in samples.LANGUAGES if language.template == template)


def _python_value(source: str) -> Any:
    text = source.partition("    json=")[2].rpartition(",\n)\n\nprint")[0]
    return eval(text, {})  # noqa: S307 - the source is ours


def _shell_value(source: str) -> str:
    command = source.replace("curl ", "printf '%s\\0' ", 1)
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    return done.stdout.split("\0")[-2]


def _javascript_value(source: str) -> Any:
    return _evaluated(
        source.partition("JSON.stringify(")[2].partition("\n});")[0].rstrip().rstrip(",").removesuffix(")")
    )


def _evaluated(text: str) -> Any:
    """The value of an expression of JavaScript."""
    node = shutil.which("node") or str(Path(".venv/bin/node"))
    script = f"process.stdout.write(JSON.stringify({text}))"
    done = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
