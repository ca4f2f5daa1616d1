"""The component kit for the pages of both products: assets, templates, security headers, CSRF, page errors. It contains no terms of
either product.
"""
