"""Turns the Markdown in `docs/` into pages on which every number was computed.

`extension.py` is a Python-Markdown extension that works without MkDocs. `plugin.py` is what MkDocs
calls while it builds the site.
"""
