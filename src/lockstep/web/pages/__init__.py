"""The pages, one module per noun. Every module with `pages = Pages()` is found automatically."""
