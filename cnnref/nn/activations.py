"""The outputs of a network's layers, recorded while it runs."""

from __future__ import annotations

from cnnref.nn._hooks import Layer, Layers, Predicate, record_activations

__all__ = ["Layer", "Layers", "Predicate", "record_activations"]
