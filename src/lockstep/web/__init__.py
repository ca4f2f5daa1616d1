"""The pages of the admin centre. They format what actions return, and decide nothing."""
