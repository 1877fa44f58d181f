"""Derivations of results, step by step, as data; then as text, LaTeX or Markdown. NumPy alone.

Every derivation has `to_text()`, `to_latex()` and `to_markdown()`, and shows itself in a notebook.
What is written counts rows, columns and channels from 1, as on paper; the data counts from 0.
"""

from cnnref.worked.convolution import (
    ChannelStep,
    ConvolutionDerivation,
    OutputCell,
    convolution,
)
from cnnref.worked.output_shape import AxisSteps, OutputShapeDerivation, output_shape

__all__ = [
    "AxisSteps",
    "ChannelStep",
    "ConvolutionDerivation",
    "OutputCell",
    "OutputShapeDerivation",
    "convolution",
    "output_shape",
]
