"""The results of actions as JSON: one shape per noun, for the command line (`-o json`) and the API. The types are the contract: the OpenAPI
description is generated from them, so both have the same fields.
"""
