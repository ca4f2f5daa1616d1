"""The REST API under `/api/v1`: every action over HTTP, with one form for errors, lists, conditions and consent.

A route reads its input, calls an action and returns its JSON. It decides nothing: permissions and rules are the action's.
"""
