"""The OpenAPI document, compiled: operations, parameters, schemas, links and deprecation."""
