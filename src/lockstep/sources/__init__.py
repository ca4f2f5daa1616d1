"""The sources of people and groups. Each module reads one kind of external list and converts it to passes, which the import writes to the
directory.
"""
