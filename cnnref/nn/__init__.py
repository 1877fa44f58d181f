"""What is trained or inspected: networks, what they see, and how they learn from little data.

Import what you need by its name, such as ``from cnnref.nn import residual``: `cnnref.nn` itself
imports nothing heavy. A public module or subpackage lists its public names in ``__all__``; names
that start with an underscore are private.
"""

from __future__ import annotations

from importlib.util import find_spec

_MISSING = [name for name in ("torch", "tqdm") if find_spec(name) is None]
if _MISSING:
    raise ModuleNotFoundError(
        f"cnnref.nn needs {' and '.join(_MISSING)}: pip install 'cnnref[nn]'", name=_MISSING[0]
    )
