"""What MkDocs loads: the methods of one plugin object, as the hooks that `mkdocs.yml` names.

MkDocs finds plugins through entry points of installed packages. The page builder is not installed,
so it is a hook.
"""

from page_builder.plugin import PageBuilder

_plugin = PageBuilder()

on_startup = _plugin.on_startup
on_config = _plugin.on_config
on_files = _plugin.on_files
on_nav = _plugin.on_nav
on_pre_page = _plugin.on_pre_page
on_page_markdown = _plugin.on_page_markdown
on_post_page = _plugin.on_post_page
on_post_build = _plugin.on_post_build
on_build_error = _plugin.on_build_error
