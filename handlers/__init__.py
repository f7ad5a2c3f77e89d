"""What each operation does: one module per tag, one function per operationId."""
