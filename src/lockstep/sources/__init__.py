"""The sources of people and groups. Each module reads one kind of outside list and turns it into passes, which the import writes
to the directory.
"""
