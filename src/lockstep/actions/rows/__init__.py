"""Results of actions as JSON, for the command line (`-o json`) and the API. Each noun has one JSON form. The OpenAPI description is
generated from the types here, so the command line and the API have the same fields.
"""
