"""The one way to serve HTTP, for both products: uvicorn with httptools, and limits on the resources that one client may use.

`limits` defines the limits. `protocol` enforces them on one connection, `connections` across all connections, and `bodies` while a body
is read.
"""
