"""Read, write, compare and check configurations in the forms that people and files use. Pure. This package depends on `engine`, and
`storage` depends on this package.
"""
