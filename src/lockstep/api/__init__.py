"""The REST API under `/api/v1`: every action over HTTP. Errors, lists, conditions and consent have the same form everywhere.

A route reads its input, calls an action and returns the result as JSON. Permissions and rules belong to the action; a route decides
nothing.
"""
