"""Exercises on Grad-CAM for networks of all kinds."""

from __future__ import annotations

from fractions import Fraction

from numpy.random import Generator

from cnnref.exercises._answers import Explanation, Matrix
from cnnref.exercises._choices import shuffled
from cnnref.exercises._exercise import Draft
from cnnref.exercises._kinds import kind
from cnnref.exercises._latex import matrix
from cnnref.networks import Conv, Pool, walk

_TOKENS = "#the-worked-example-from-tokens-to-a-map"


@kind("gradcam_networks.tokens", level="easy", task="compute")
def _tokens(rng: Generator) -> Draft:
    patch = int(rng.choice([8, 14, 16]))
    rows, columns = rng.integers(5, 20, 2).tolist()
    if rows == columns:
        columns += 1
    extra = int(rng.choice([1, 5]))
    words = "one class token" if extra == 1 else "one class token and four register tokens"
    return Draft(
        question=f"A vision transformer cuts an image of {rows * patch}×{columns * patch} pixels "
        f"into patches of {patch}×{patch} and adds {words}. How many tokens are there?",
        answer=rows * columns + extra,
        solution=rf"There are ${rows} \cdot {columns} = {rows * columns}$ patches, and "
        f"{extra} more.",
        mistakes=[
            (rows * columns, "You left out the tokens that belong to no patch.", _TOKENS),
            (rows + columns + extra, "Multiply the patches along both sides."),
        ],
    )


@kind("gradcam_networks.to_maps", level="standard", task="compute")
def _to_maps(rng: Generator) -> Draft:
    tokens = rng.permutation(7)
    patches = tokens[1:].reshape(2, 3)
    return Draft(
        question="One channel of a transformer's tokens is\n\n$$\n"
        f"{matrix(tokens)}\n$$\n\nThe first one is the class token. What is the 2×3 map of the "
        "patches?",
        answer=Matrix(patches),
        solution="Leave out the class token. The rest fill the map row by row.",
        mistakes=[
            (tokens[:-1].reshape(2, 3), "You kept the class token, so every patch is off by one."),
            (tokens[1:].reshape(3, 2).T, "You filled the map column by column.", _TOKENS),
        ],
    )


@kind("gradcam_networks.skip", level="easy", task="inverse")
def _skip(rng: Generator) -> Draft:
    side, skip = int(rng.integers(4, 17)), int(rng.integers(1, 6))
    return Draft(
        question=f"A layer outputs {side * side + skip} tokens per image, and its patches make a "
        f"square map of {side}×{side}. What is `skip`?",
        answer=skip,
        solution=f"${side * side + skip} - {side}^2 = {skip}$ tokens come before the patches.",
        mistakes=[
            (side * side, "These are the patches. `skip` counts the tokens before them."),
            (0, "A square map would then need more cells."),
        ],
    )


@kind("gradcam_networks.cells", level="standard", task="design")
def _cells(rng: Generator) -> Draft:
    size = int(rng.choice([128, 160, 192, 224, 256]))
    block = [Conv(8, 3, padding=1), Pool(2)]
    sides: list[int] = []
    shape: tuple[int, ...] = (3, size, size)
    for _ in range(5):
        shape = list(walk(block, shape))[-1][2]
        sides.append(shape[1])
    wanted = int(rng.integers(2, 5))
    least = sides[wanted]
    return Draft(
        question=f"A network on {size}×{size} images has five blocks: a 3×3 convolution with "
        "padding 1 and a 2×2 max pooling with stride 2. You want the latest block whose output "
        f"still has at least {least} cells per side. After how many blocks is it?",
        answer=wanted + 1,
        solution=f"The sides are {', '.join(map(str, sides))}. The last one that is at least "
        f"{least} comes after block {wanted + 1}.",
        mistakes=[
            (wanted, "One block later there are still enough cells."),
            (wanted + 2, "There the map is too small already."),
        ],
    )


@kind("gradcam_networks.upsample", level="exam", task="compute")
def _upsample(rng: Generator) -> Draft:
    cells, stride = int(rng.integers(5, 10)), int(rng.choice([8, 16, 32]))
    cell = int(rng.integers(1, cells - 1))
    if 2 * cell == cells - 1:
        cell += 1
    size = cells * stride
    centre = Fraction(2 * cell + 1, 2) * stride - Fraction(1, 2)
    return Draft(
        question=f"A map of {cells} cells per side is upsampled to {size} pixels, with cells as "
        f"equal squares. At which row of pixels is the centre of cell row {cell}? Count both from "
        "0, and let row 0 be the centre of the first pixel.",
        answer=centre,
        solution=f"A cell has {stride} pixels, so its centre is ${float(cell + 0.5):g} \\cdot "
        f"{stride} = {float((cell + 0.5) * stride):g}$ pixels from the border. The centre of pixel "
        f"0 is half a pixel from it: {float(centre):g}.",
        mistakes=[
            (centre + Fraction(1, 2), "This is the distance from the border, not from pixel 0."),
            (
                Fraction(cell * (size - 1), cells - 1),
                "This is with aligned corners.",
                "#aligning-the-corners",
            ),
            (cell * stride, "This is where the cell begins."),
        ],
    )


@kind("gradcam_networks.shared", level="standard", task="find the bug")
def _shared(rng: Generator) -> Draft:
    answer, mistakes = shuffled(
        rng,
        "Ask for the block.",
        [
            (
                "Copy the output in your own hook.",
                "A copy does not say which of the two runs is meant.",
            ),
            ("Use the probability as the target.", "The target has nothing to do with the layer."),
            (
                "Put the model in train mode.",
                "Train mode changes batch norm, and makes the map wrong.",
            ),
        ],
    )
    return Draft(
        question="In a residual block one `nn.ReLU` module runs twice. You want a map after the "
        "block and ask for the ReLU. What is the simplest fix?",
        answer=answer,
        solution="The two runs have different outputs. The output of the block is that of the "
        "second run, and there is only one of it.",
        mistakes=mistakes,
    )


@kind("gradcam_networks.explain", level="exam", task="explain")
def _explain(rng: Generator) -> Draft:
    return Draft(
        question="Grad-CAM of the last block of a vision transformer is zero everywhere, with a "
        "model that reads the class token. Explain why, and what to do.",
        answer=Explanation(
            (
                "After the last block only the class token is read, so the score does not depend "
                "on the patches there: their gradient is zero.",
                "In the block before, attention still carries the patches to the class token.",
                "So ask for the last block but one.",
            )
        ),
        solution="",
    )
