"""The model of a client, the same for all languages: resources by tag, methods with short names, types and errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from docsite import client_names, paging
from tools.clients import names
from tools.clients.shapes import SCHEMAS, Model, Property, Shape, Shapes
from web.contract import relaxed_contract
from web.contract.reading import JSON, OperationObject, operations

KEY = "Idempotency-Key"
IF_NONE_MATCH = "If-None-Match"
# OpenAPI 3.0.3, Parameter Object: these header parameters are ignored.
NOT_PARAMETERS = ("Accept", "Content-Type", "Authorization")
REPEATABLE = ("GET", "HEAD", "PUT", "DELETE")
FINAL = "Do not retry"


class Argument(NamedTuple):
    """A parameter of an operation; `place` is path, query or header.

    `joined`: the items of a list are separated by commas, and are not parameters of their own.
    """

    name: str
    place: str
    shape: Shape
    required: bool
    joined: bool
    description: str


class Result(NamedTuple):
    """The body of a successful response; `shape` is None if there is none."""

    shape: Shape | None
    media: str

    @property
    def is_stream(self) -> bool:
        return self.shape is not None and self.shape.kind == "bytes"


class Page(NamedTuple):
    """How a list is paged: the field that has the items, their type, and whether a page says its limit."""

    field: str
    item: Shape
    says_limit: bool


class Method(NamedTuple):
    """An operation as a method of its resource.

    `repeatable`: it may be sent twice, because its method is idempotent (RFC 9110) or because it takes an
    Idempotency-Key. `conditional`: it takes If-None-Match and may answer 304.
    """

    name: str
    operation: OperationObject
    arguments: list[Argument]
    body: Shape | None
    body_required: bool
    result: Result
    page: Page | None
    keyed: bool
    repeatable: bool
    conditional: bool

    @property
    def path_arguments(self) -> list[Argument]:
        return [argument for argument in self.arguments if argument.place == "path"]

    def path(self, write: Callable[[Argument], str]) -> str:
        """The path with what `write` makes of each of its arguments."""
        text = self.operation.path
        for item in self.path_arguments:
            text = text.replace(f"{{{item.name}}}", write(item))
        return text

    @property
    def required(self) -> list[Argument]:
        return [argument for argument in self.arguments if argument.required]

    @property
    def options(self) -> list[Argument]:
        """The arguments that may be left out; If-None-Match and the paging are for the templates."""
        own = (IF_NONE_MATCH,) if self.conditional else ()
        return [argument for argument in self.arguments if not argument.required and argument.name not in own]

    @property
    def summary(self) -> str:
        text: str = self.operation.node.get("summary") or self.operation.title
        return text.rstrip(".") + "."


class Resource(NamedTuple):
    name: str
    description: str
    methods: list[Method]


class ErrorKind(NamedTuple):
    """An error code of the catalog; `final` if the contract says that a retry does not help."""

    code: str
    type: str
    message: str
    final: bool


class Credential(NamedTuple):
    """The header that has the credential, and what stands before it."""

    header: str
    prefix: str


class Publisher(NamedTuple):
    """What only whoever publishes the clients knows: addresses of the web, and the namespace of Maven Central."""

    homepage: str = ""
    repository: str = ""
    group_id: str = ""


NOBODY = Publisher()


class Client(NamedTuple):
    """All that the templates need."""

    title: str
    version: str
    license: str
    publisher: Publisher
    base_path: str
    resources: list[Resource]
    models: list[Model]
    shapes: Shapes
    errors: list[ErrorKind]
    error_details: list[Property]
    credential: Credential

    @property
    def methods(self) -> list[Method]:
        return [method for resource in self.resources for method in resource.methods]

    @property
    def final_codes(self) -> list[str]:
        return [error.code for error in self.errors if error.final]


def read(contract: dict[str, Any], publisher: Publisher = NOBODY) -> Client:
    """The client of a contract. Raises NameClash."""
    document = relaxed_contract.relax(contract, with_own_servers=True)
    shapes = Shapes(document)
    resources = list(_resources(document, shapes))
    details = _details(shapes)
    shapes.mark(shapes.of({"$ref": f"{SCHEMAS}ErrorEnvelope"}, "ErrorEnvelope"), "read")
    info = document["info"]
    return Client(
        title=info["title"],
        version=info["version"],
        license=info.get("license", {}).get("name", ""),
        publisher=completed(publisher, document),
        base_path=next((op.path.removesuffix(op.template) for op in operations(document) if not op.has_own_server), ""),
        resources=resources,
        models=[model for model in shapes.models.values() if model.sent or model.read],
        shapes=shapes,
        errors=list(_errors(document)),
        error_details=details,
        credential=_credential(document),
    )


def _resources(document: dict[str, Any], shapes: Shapes) -> Iterator[Resource]:
    found: dict[str, list[Method]] = {}
    for operation in operations(document):
        tag = operation.node.get("tags", ["default"])[0]
        found.setdefault(client_names.snake(tag), []).append(_method(operation, tag, shapes))
    texts = {client_names.snake(tag["name"]): tag.get("description", "") for tag in document.get("tags", ())}
    for name, methods in found.items():
        names.unique(((method.name, method.operation.id) for method in methods), f"the resource `{name}`")
        yield Resource(name, texts.get(name, ""), methods)


def _method(operation: OperationObject, tag: str, shapes: Shapes) -> Method:
    arguments = list(_arguments(operation, shapes))
    headers = {argument.name for argument in arguments if argument.place == "header"}
    body = _body(operation, shapes)
    result = _result(operation, shapes)
    shapes.mark(body, "sent")
    shapes.mark(result.shape, "read")
    return Method(
        name=client_names.method(operation.id, tag),
        operation=operation,
        arguments=arguments,
        body=body,
        body_required=bool(operation.request_body.get("required")),
        result=result,
        page=_page(operation, result, shapes),
        keyed=KEY in headers,
        repeatable=operation.method in REPEATABLE or KEY in headers,
        conditional=IF_NONE_MATCH in headers and 304 in operation.by_status,
    )


def _arguments(operation: OperationObject, shapes: Shapes) -> Iterator[Argument]:
    """The arguments: those of the path in its order, then the query, then the header."""
    order = operation.path_names
    in_path = sorted(operation.parameters_in("path"), key=lambda node: order.index(node["name"]))
    for node in [*in_path, *operation.parameters_in("query"), *operation.parameters_in("header")]:
        if node["in"] != "header" or node["name"] not in NOT_PARAMETERS:
            shape = shapes.of(node["schema"], f"{operation.id}_{node['name']}")._replace(nullable=False)
            text = node.get("description", "")
            joined = node["in"] != "query" or not node.get("explode", True)
            yield Argument(node["name"], node["in"], shape, bool(node.get("required")), joined, text)


def _body(operation: OperationObject, shapes: Shapes) -> Shape | None:
    if operation.body is None:
        return None
    return shapes.of(operation.body.get("schema", {}), f"{operation.id}_body")


def _result(operation: OperationObject, shapes: Shapes) -> Result:
    """The body of the first response of 200 to 299: JSON if it has some, else text, else bytes."""
    successes = [node for status, node in sorted(operation.by_status.items()) if 200 <= status < 300]
    content: dict[str, Any] = next((node["content"] for node in successes if node.get("content")), {})
    if JSON in content:
        return Result(shapes.of(content[JSON].get("schema", {}), f"{operation.id}_result"), JSON)
    media = next(iter(content), "")
    if not media or operation.method == "HEAD":
        return Result(None, "")
    return Result(Shape("text" if media.startswith("text/") else "bytes"), media)


def _page(operation: OperationObject, result: Result, shapes: Shapes) -> Page | None:
    field = paging.field_of(operation)
    model = shapes.models.get(result.shape.name) if result.shape and result.shape.kind == "model" else None
    if not field or not model:
        return None
    properties = {item.name: item for item in model.properties}
    item = properties[field].shape.of
    return Page(field, item, paging.LIMIT in properties) if item and properties[field].required else None


def _errors(document: dict[str, Any]) -> Iterator[ErrorKind]:
    catalog = document["components"]["schemas"].get("ErrorCode", {}).get("x-errors", {})
    for code, entry in catalog.items():
        yield ErrorKind(code, entry["type"], entry["message"], entry.get("remedy", "").startswith(FINAL))


def _details(shapes: Shapes) -> list[Property]:
    shapes.of({"$ref": f"{SCHEMAS}ErrorEnvelope"}, "ErrorEnvelope")
    model = shapes.models.get("ErrorDetails")
    return model.properties if model else []


def completed(publisher: Publisher, document: dict[str, Any]) -> Publisher:
    """With the address of the documentation or of the server as homepage, if none is given and the contract has one."""
    nodes = [document.get("externalDocs", {}), *document.get("servers", ())]
    found = next((node["url"] for node in nodes if node.get("url", "").startswith("https://")), "")
    return publisher._replace(homepage=publisher.homepage or found)


def _credential(document: dict[str, Any]) -> Credential:
    schemes = document["components"].get("securitySchemes", {}).values()
    header = next((scheme["name"] for scheme in schemes if scheme["type"] == "apiKey"), "")
    return Credential(header, "") if header else Credential("Authorization", "Bearer ")
