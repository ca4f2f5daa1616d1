"""Everything that a person may ask for, implemented once: the permission is checked first, the audit entry comes last. Command line and
servers only translate.
"""
