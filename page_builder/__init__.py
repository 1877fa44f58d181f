"""What turns the Markdown of `docs/` into pages whose every number was computed.

The parts are Python-Markdown extensions that work without MkDocs; `hooks.py` is the thin layer that
MkDocs calls.
"""
