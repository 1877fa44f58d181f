"""Step-by-step derivations of results, as data, text, LaTeX or Markdown. Needs only NumPy.

Every derivation is a `Solution`: it has `to_text()`, `to_latex()` and `to_markdown()`, and a
notebook displays it. Text counts rows, columns and channels from 1, as on paper; the data counts
from 0.
"""

from cnnref.worked.convolution import (
    ChannelStep,
    ConvolutionDerivation,
    OutputCell,
    convolution,
)
from cnnref.worked.convolution_matrix import ConvolutionMatrixDerivation, convolution_matrix
from cnnref.worked.cost import CostDerivation, cost
from cnnref.worked.gradients import GradientsDerivation, gradients
from cnnref.worked.output_shape import AxisSteps, OutputShapeDerivation, output_shape
from cnnref.worked.pooling import (
    AvgPooledCell,
    AvgPoolingDerivation,
    MaxPooledCell,
    MaxPoolingDerivation,
    PooledCell,
    PoolingDerivation,
    avg_pool2d,
    max_pool2d,
)
from cnnref.worked.receptive_field import FieldStep, ReceptiveFieldDerivation, receptive_field
from cnnref.worked.resolution_and_channels import (
    PickedChannel,
    SpaceToDepthDerivation,
    space_to_depth,
)
from cnnref.worked.solution import CellSolution, Solution
from cnnref.worked.sums import Contribution, SummedCell
from cnnref.worked.template_matching import (
    Deviations,
    TemplateMatchingDerivation,
    WindowMatch,
    template_matching,
)
from cnnref.worked.transposed_convolution import (
    Stamp,
    TransposedConvolutionDerivation,
    transposed_convolution,
)

__all__ = [
    "AvgPooledCell",
    "AvgPoolingDerivation",
    "AxisSteps",
    "CellSolution",
    "ChannelStep",
    "Contribution",
    "ConvolutionDerivation",
    "ConvolutionMatrixDerivation",
    "CostDerivation",
    "Deviations",
    "FieldStep",
    "GradientsDerivation",
    "MaxPooledCell",
    "MaxPoolingDerivation",
    "OutputCell",
    "OutputShapeDerivation",
    "PickedChannel",
    "PooledCell",
    "PoolingDerivation",
    "ReceptiveFieldDerivation",
    "Solution",
    "SpaceToDepthDerivation",
    "Stamp",
    "SummedCell",
    "TemplateMatchingDerivation",
    "TransposedConvolutionDerivation",
    "WindowMatch",
    "avg_pool2d",
    "convolution",
    "convolution_matrix",
    "cost",
    "gradients",
    "max_pool2d",
    "output_shape",
    "receptive_field",
    "space_to_depth",
    "template_matching",
    "transposed_convolution",
]
