"""The one way to serve HTTP, for both products: uvicorn with httptools, and limits on what a client may cost.

`limits` says how much; `protocol` keeps it on one connection, `connections` over all of them, `bodies` while a body is read.
"""
