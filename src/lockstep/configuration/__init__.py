"""Read, write, compare and check configurations in the forms that people and files use. Pure. Depends on `engine`; `storage` depends on
it.
"""
