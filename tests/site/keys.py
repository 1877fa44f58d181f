"""The keyboard of a page, with a limit on the wait for each key.

Chromium takes every key, but about once in ten thousand it does not report it, and Playwright's own
keyboard waits for the report forever. A test sees on the page whether the key arrived.
"""

from __future__ import annotations

import contextlib
import functools

from playwright.sync_api import CDPSession, Page, TimeoutError

PATIENCE = 5_000  # ms
# For each name: the key's code, its number, and what it writes.
_NAMED = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Space": ("Space", 32, " "),
    "Home": ("Home", 36, ""),
    "ArrowRight": ("ArrowRight", 39, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
}


class Keys:
    """The keyboard of one page."""

    def __init__(self, page: Page) -> None:
        self._devtools: CDPSession = page.context.new_cdp_session(page)

    def press(self, chord: str) -> None:
        """Press and release a key: "Enter", "a", "Control+Home"."""
        *held, name = chord.split("+")
        self._press(name, sum({"Control": 2, "Shift": 8}[one] for one in held))

    def write(self, text: str) -> None:
        """Write a text, key by key."""
        for character in text:
            self._press({" ": "Space", "\n": "Enter"}.get(character, character))

    def _press(self, name: str, modifiers: int = 0) -> None:
        code, number, text = _NAMED.get(name) or _character(name)
        key: dict[str, object] = {"key": " " if name == "Space" else name, "modifiers": modifiers}
        if code:
            key |= {"code": code, "windowsVirtualKeyCode": number}
        if text and not modifiers:
            self._send({"type": "keyDown", "text": text, **key})
        else:
            self._send({"type": "rawKeyDown", **key})
        # Nothing on the pages waits for the release of Tab, which is pressed many thousand times.
        if name != "Tab":
            self._send({"type": "keyUp", **key})

    def _send(self, event: dict[str, object]) -> None:
        with contextlib.suppress(TimeoutError):
            self._devtools.send("Input.dispatchKeyEvent", event, timeout=PATIENCE)


def _character(character: str) -> tuple[str, int, str]:
    """Return the code, the number and the text of a key that writes one character."""
    if character.isascii() and character.isalpha():
        return f"Key{character.upper()}", ord(character.upper()), character
    if character.isascii() and character.isdigit():
        return f"Digit{character}", ord(character), character
    return "", 0, character


@functools.lru_cache(maxsize=4)
def keys_of(page: Page) -> Keys:
    """Return the keyboard of a page: the same one for the same page."""
    return Keys(page)
