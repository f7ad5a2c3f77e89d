"""Conditions on an OpenAPI document that no single field states; the table keywords.yaml says which are refused.

A rule yields one detail per fault, or an empty text if the place says enough. Rules are named after the rows of the
table, and a rule whose row is `done` is not asked.
"""

from __future__ import annotations

from web.contract.rules import links, operations, parameters, paths, responses, root, schemas, security
from web.contract.rules.registry import RULES as RULES

__all__ = ["RULES", "links", "operations", "parameters", "paths", "responses", "root", "schemas", "security"]
