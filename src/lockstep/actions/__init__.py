"""Everything that a person can do in Lockstep. Each action is implemented once.

An action checks the permission first and writes the audit entry last. The command line, the API and the pages only translate between
their users and the actions.
"""
