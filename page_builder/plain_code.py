"""Highlighted code without the spans that colour nothing.

Pygments wraps every token. On an API page with its sources that makes half of 32,000 elements:
names and white space, which have the colour of the code around them anyway, and operators,
punctuation and line numbers, which this site leaves in it. Without their spans a page is lighter to
load, to lay out and to check.
"""

from __future__ import annotations

import re

# Name, white space, punctuation, operator; a line number. Their text holds no further tag.
_PLAIN = re.compile(r'<span class="(?:n|w|p|o|normal)">([^<]*)</span>')


def drop_plain_spans(page: str) -> str:
    """Return the page with each span that colours nothing replaced by its text."""
    return _PLAIN.sub(r"\1", page)
