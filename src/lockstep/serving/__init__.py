"""The one way to serve HTTP, for both products: uvicorn with httptools, and limits on what a client may cost.

`limits` defines the limits. `protocol` enforces them on one connection, `connections` across all connections, `bodies` while a
body is read.
"""
