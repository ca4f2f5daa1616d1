"""What actions return, as JSON: one shape per noun, which the command line prints (`-o json`) and the API answers.

The types are the contract: the OpenAPI description is generated from them, so a field exists in both or in none.
"""
