"""The file that MkDocs loads: it offers the methods of one plugin object as hooks.

MkDocs finds plugins through the entry points of installed packages, and the page builder is not
installed.
"""

from page_builder.plugin import PageBuilder

_plugin = PageBuilder()
globals().update({name: getattr(_plugin, name) for name in dir(_plugin) if name.startswith("on_")})
