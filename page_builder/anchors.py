"""The anchors of a page, for the link check, which would parse the whole page to find them.

htmlproofer reads the links from a page's content and the anchors from the finished page: half of
the time of a build, if it is given the navigation and the code of each.
"""

from __future__ import annotations

import re

_TAG = re.compile(r"""<([a-zA-Z][\w-]*)((?:"[^"]*"|'[^']*'|[^'"<>])*)>|(</template>)""")
_ANCHOR = re.compile(r"""\s(id|name)=("[^"]*"|'[^']*'|[^\s"'<>]+)""")


class Anchors:
    """One page, while the link check reads its anchors."""

    def __init__(self) -> None:
        self._page = self._handed = ""

    def take(self, page: str) -> str:
        """Return the tags of the page that an address may lead to, and keep the page."""
        self._page = page
        self._handed = "".join(map(_kept, _TAG.finditer(page)))
        return self._handed

    def put_back(self, handed: str) -> str:
        """Return the page that was taken.

        Raises:
            ValueError: What `take` returned has been changed, and the page has not.
        """
        if handed != self._handed:
            raise ValueError(
                "a plugin edits pages between `take` and `put_back`: it is to do so later"
            )
        return self._page


def _kept(tag: re.Match[str]) -> str:
    """A tag with its anchors alone; nothing if it has none. What is in a template is no anchor."""
    if tag[3]:
        return tag[3]
    anchors = "".join(anchor[0] for anchor in _ANCHOR.finditer(tag[2]))
    return f"<{tag[1]}{anchors}>" if anchors or tag[1] == "template" else ""
