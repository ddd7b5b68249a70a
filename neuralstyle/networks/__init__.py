"""Networks as plain data, and the files they come in: one module a format."""
