"""The component kit of the pages of both products: assets, templates, security headers, CSRF, page errors. Knows no product's nouns."""
