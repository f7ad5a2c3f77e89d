"""Handlers of the operations: one module per tag, one function per operationId.

A handler's parameters are the operation's parameters, `body` and `caller`, by name; web.binding provides them.
"""
