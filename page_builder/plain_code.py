"""Remove the spans that colour nothing from highlighted code.

Pygments wraps every token. On this site, names, white space, operators, punctuation and line
numbers have the same colour as the code around them, and their spans are half of the 32,000
elements of an API page with its sources. Without them a page loads and is checked faster.
"""

from __future__ import annotations

import re

# Name, white space, punctuation, operator, line number. Their text contains no further tag.
_PLAIN = re.compile(r'<span class="(?:n|w|p|o|normal)">([^<]*)</span>')


def drop_plain_spans(page: str) -> str:
    """Return the page with each span that colours nothing replaced by its text."""
    return _PLAIN.sub(r"\1", page)
