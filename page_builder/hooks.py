"""What MkDocs loads: the methods of one plugin object, as the hooks that `mkdocs.yml` names.

MkDocs finds plugins through entry points of installed packages. The page builder is not installed,
so it is a hook.
"""

from page_builder.plugin import PageBuilder

_plugin = PageBuilder()
globals().update({name: getattr(_plugin, name) for name in dir(_plugin) if name.startswith("on_")})
