"""One module per noun. Every module with `pages = Pages()` is found; nothing is entered in a list."""
