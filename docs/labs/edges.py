# ---
# jupyter:
#   cnnref:
#     given:
#       - "half as high"
#       - "half as wide"
#       - "three times in"
#       - "between 0 and 1"
#       - "by 256"
#       - "3×3 filters"
#       - "g_x^2 + g_y^2"
#       - "dilation 1"
#       - "dilation 4"
#       - "stride 2"
#       - "counted from 0"
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Edge filters on a photograph
#
# A convolution layer learns its filters. Here we choose them by hand, run them over a real
# photograph with [`cnnref.conv2d`](../reference/convolution.md#cnnref.conv2d), and look at the
# responses. Then PyTorch and SciPy compute the same. Why networks convolve at all is on the
# page [convolution](../topics/convolution.md#why).
#
# The photograph is part of scikit-image, so nothing is downloaded. It is by Lav Varshney, who
# released it to the public domain (CC0), as scikit-image states under
# [`skimage.data.camera`](https://scikit-image.org/docs/stable/api/skimage.data.html#skimage.data.camera).

# %%
import matplotlib.pyplot as plt
import numpy as np
from skimage import data

import cnnref

plt.rcParams.update(
    {"font.size": 12, "figure.dpi": 90, "image.interpolation": "nearest"}
)

# %% [markdown]
# ## The photograph
#
# The file contains unsigned integers of eight bits. We first turn them into floats between 0 and 1,
# because eight bits are too few for the sums below and have no negative numbers.
#
# We divide by 256, not by the largest value of an eight-bit number. Then every pixel, and every
# response below, is a whole number of small binary steps. No response is rounded, so "equal" can
# mean equal to the last bit. (The magnitude is a root, and is rounded.)

# %%
photo = data.camera()[40:296, 170:426] / 256

print("pixels (height, width):", photo.shape)
print("type:", photo.dtype)
print(f"darkest {photo.min():.3f}, brightest {photo.max():.3f}")
print(f"mean {photo.mean():.3f}")

# %%
# alt: A grey photograph of a dark-haired man, seen from the side, who looks through a film
#   camera on a tripod. Behind him are a bright sky, low buildings with a dome, and a lawn.
figure, axes = plt.subplots(figsize=(4, 4), layout="constrained")
axes.imshow(photo, cmap="gray", vmin=0, vmax=1)
axes.set_axis_off()
plt.show()

# %% [markdown]
# ## Four filters, one call
#
# - **Sobel x** subtracts what is left of a pixel from what is right of it. It responds to changes
#   from left to right, and therefore to *vertical* edges.
# - **Sobel y** subtracts what is above from what is below, and responds to *horizontal* edges.
# - **Laplacian** compares a pixel with its four neighbours.
# - **Gaussian** is a weighted mean of the neighbourhood: it blurs.
#
# The four filters are stacked into one array of shape (filters, channels, height, width). One call
# slides all of them over the photograph, and each filter makes one channel of the output. A layer's
# *filter bank* is no more than that.

# %%
sobel_x = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=float)
sobel_y = sobel_x.T
laplacian = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], dtype=float)
gaussian = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16

names = ["Sobel x", "Sobel y", "Laplacian", "Gaussian"]
bank = np.stack([sobel_x, sobel_y, laplacian, gaussian])[:, None]
responses = cnnref.conv2d(photo[None], bank)

print("input  (channels, height, width):        ", photo[None].shape)
print("bank   (filters, channels, height, width):", bank.shape)
print("output (channels, height, width):        ", responses.shape)
for name, weights, response in zip(names, bank, responses, strict=True):
    print(
        f"{name:9}  weights sum to {weights.sum():g}, "
        f"responses from {response.min():+.3f} to {response.max():+.3f}"
    )

# %% [markdown]
# The output is two pixels smaller in each direction, because the 3×3 filters cannot be centred on
# the border pixels (see [padding](../topics/padding.md)). Look at the sums of the weights. If the
# weights sum to zero, an even surface gives zero, whatever its brightness: the filter responds only
# to *change*. The Gaussian's weights are positive and sum to one, so its response is again a
# picture in the same range.
#
# The first three responses have a sign, so they need a colour map with a middle: zero is almost
# black, negative is blue, positive is red, and both get brighter with strength. Values beyond the
# ends of a colour bar have the colour of its end.


# %%
def show(pictures, titles, limits, cmaps):
    """Show two pictures, each with its own range and colour bar."""
    figure, axes = plt.subplots(
        1, 2, figsize=(6.6, 3.75), layout="constrained"
    )
    figure.get_layout_engine().set(wspace=0.08)
    for ax, picture, title, (low, high), cmap in zip(
        axes, pictures, titles, limits, cmaps, strict=True
    ):
        image = ax.imshow(picture, cmap=cmap, vmin=low, vmax=high)
        ax.set(title=title, xticks=[], yticks=[])
        figure.colorbar(
            image,
            ax=ax,
            orientation="horizontal",
            ticks=[low, (low + high) / 2, high],
        )
    plt.show()


# %%
# alt: The responses of Sobel x and Sobel y side by side. In Sobel x the vertical lines are
#   bright, such as the tripod's leg, blue on one side and red on the other. In Sobel y the
#   horizontal lines are, such as the top of the head and of the camera. Even surfaces are
#   almost black.
show(responses[:2], names[:2], [(-2, 2)] * 2, ["berlin"] * 2)

# %%
# alt: On the left, the response of the Laplacian: thin double lines, blue and red, along every
#   edge in any direction. On the right, the photograph after the Gaussian, slightly softer.
show(responses[2:], names[2:], [(-0.6, 0.6), (0, 1)], ["berlin", "gray"])

# %% [markdown]
# ## Why a response has a sign
#
# A strip that goes from dark to bright and back shows why. Sobel x is positive where the strip gets
# brighter to the right, and negative where it gets darker. The Laplacian responds twice at each
# edge: positively on the dark side and negatively on the bright side. The edge is where the sign
# changes.

# %%
strip = np.tile([0, 0, 0, 1, 1, 1, 0, 0, 0], (3, 1))
one_row = cnnref.conv2d(strip[None], np.stack([sobel_x, laplacian])[:, None])
print("strip    ", strip[1])
print("Sobel x  ", one_row[0, 0].astype(int))
print("Laplacian", one_row[1, 0].astype(int))

# %% [markdown]
# These are the windows of the photograph with the strongest responses of Sobel x (rows and columns
# counted from 0). Check the sum by hand: right column minus left column, with the middle row
# counted twice.

# %%
for word, find in [("positive", np.argmax), ("negative", np.argmin)]:
    row, column = np.unravel_index(find(responses[0]), responses[0].shape)
    window = photo[row : row + 3, column : column + 3]
    print(
        f"most {word}: {responses[0, row, column]:+.3f}, "
        f"row {row}, column {column}, window"
    )
    print(window.round(3), end="\n\n")

# %% [markdown]
# A picture of the absolute value, or one that clips negative numbers to black, no longer shows
# which side is the bright one. A ReLU after a layer clips in exactly this way. A network that needs
# both signs needs a second filter for the other one.
#
# ## The strength of an edge, whatever its direction
#
# Up to a constant factor, Sobel x and Sobel y together estimate the gradient: an arrow that points
# to the brighter side. Its length is
#
# $$\sqrt{g_x^2 + g_y^2}$$
#
# The length has no sign and no direction. It is not a convolution either: the root of a sum of
# squares is not a weighted sum of pixels, so no filter computes it.

# %%
gx, gy = responses[:2]
magnitude = np.hypot(gx, gy)
strong = magnitude > 0.5
seen = np.abs(gx) > 0.5
print(f"strongest {magnitude.max():.3f}, median {np.median(magnitude):.3f}")
print(f"pixels with a magnitude above a half: {strong.mean():.1%}")
print(f"of these, Sobel x alone is above a half in {seen[strong].mean():.1%}")

# %%
# alt: On the left, the absolute value of Sobel x: vertical lines on black, horizontal ones
#   missing. On the right, the magnitude: the outlines of the head, the camera, the tripod
#   and the buildings are closed.
show(
    [np.abs(gx), magnitude],
    ["|Sobel x|", "magnitude"],
    [(0, 2)] * 2,
    ["inferno"] * 2,
)

# %% [markdown]
# ## A false edge around the frame
#
# With padding, the output keeps the size of the photograph. But the filter sees the padding too.
# Zeros are black, so along a bright sky they make a strong edge that is not in the scene. Padding
# with the *reflected* picture makes none.

# %%
sobel = np.stack([sobel_x, sobel_y])[:, None]
kept = {
    "zeros": np.hypot(*cnnref.conv2d(photo[None], sobel, padding=1)),
    "reflect": np.hypot(
        *cnnref.conv2d(cnnref.pad2d(photo[None], 1, mode="reflect"), sobel)
    ),
}
frame = np.ones(photo.shape, dtype=bool)
frame[1:-1, 1:-1] = False
for mode, strength in kept.items():
    print(
        f"{mode:8} shape {strength.shape}, mean magnitude "
        f"in the frame {strength[frame].mean():.3f}, "
        f"inside {strength[~frame].mean():.3f}"
    )
print(
    "inside, zeros and reflect are equal:",
    np.array_equal(*(kept[m][~frame] for m in kept)),
)

# %%
# alt: The upper right quarter of the magnitude, enlarged, padded in two ways. With zeros a
#   bright line runs along the top and the right of the frame, as bright as the brightest
#   outlines of the scene. With reflect that line is gone, and everything else is the same.
corners = [strength[:128, -128:] for strength in kept.values()]
show(corners, list(kept), [(0, 2)] * 2, ["inferno"] * 2)

# %% [markdown]
# Reflecting has an effect of its own. It mirrors the picture at the border pixel, so the numbers on
# both sides of that pixel are equal, and the difference *across* the border is exactly zero.

# %%
mirrored = cnnref.conv2d(cnnref.pad2d(photo[None], 1, mode="reflect"), sobel)
print("Sobel x, first column, largest:", np.abs(mirrored[0, :, 0]).max())
print("Sobel y, first row, largest:   ", np.abs(mirrored[1, 0]).max())

# %% [markdown]
# ## Dilation and stride
#
# [Dilation](../topics/dilation.md) spreads the filter's cells apart. Sobel x with dilation 4
# compares pixels that are further apart. Each edge becomes a broader band, and the mean strength
# grows, because brightness changes more over a longer distance. Without padding, each side of the
# output loses as many pixels as the filter reaches beyond its centre. The number of weights stays
# the same.

# %%
edge = sobel_x[None, None]
spread = {
    d: cnnref.conv2d(photo[None], edge, dilation=d)[0] for d in (1, 2, 4)
}
for dilation, response in spread.items():
    print(
        f"dilation {dilation}: shape {response.shape}, "
        f"mean strength {np.abs(response).mean():.3f}"
    )

# %%
# alt: Sobel x at dilation 1 and at dilation 4. At dilation 1 the lines are thin. At
#   dilation 4 every line is a broad band.
show(
    [spread[1], spread[4]],
    ["dilation 1", "dilation 4"],
    [(-2, 2)] * 2,
    ["berlin"] * 2,
)

# %% [markdown]
# A [stride](../topics/output_shape.md) visits fewer positions. With stride 2 the response is half
# as high and half as wide. It contains nothing new: it is every second row and column of the dense
# response.

# %%
dense = spread[1]
strided = cnnref.conv2d(photo[None], edge, stride=2)[0]
print("dense  ", dense.shape)
print("strided", strided.shape)
print(
    "every second row and column of the dense one:",
    np.array_equal(strided, dense[::2, ::2]),
)

# %% [markdown]
# ## The same through PyTorch
#
# Here is the whole bank, with padding, stride and dilation. Nothing is rounded, so the results are
# equal, not merely close.

# %%
import torch

settings = dict(stride=(2, 1), padding=(1, 2), dilation=(1, 2))
ours = cnnref.conv2d(photo[None], bank, **settings)
theirs = torch.nn.functional.conv2d(
    torch.from_numpy(photo[None]), torch.from_numpy(bank), **settings
).numpy()
print("shapes:", ours.shape, theirs.shape)
print("largest absolute difference:", np.abs(ours - theirs).max())
print("equal:", np.array_equal(ours, theirs))

# %% [markdown]
# ## SciPy, and the flip
#
# On one channel, `scipy.signal.correlate2d` computes what a layer computes.
# `scipy.signal.convolve2d` first turns the filter by half a turn. Sobel's filters become their own
# negatives, so every sign changes, and bright-to-dark is taken for dark-to-bright. The Laplacian
# and the Gaussian look the same after half a turn, and hide the mistake.

# %%
from scipy.signal import convolve2d, correlate2d

print(
    "filter     correlate2d equal   convolve2d equal   "
    "convolve2d is the negative"
)
for name, weights, response in zip(names, bank[:, 0], responses, strict=True):
    straight = correlate2d(photo, weights, mode="valid")
    flipped = convolve2d(photo, weights, mode="valid")
    print(
        f"{name:10} {np.array_equal(response, straight)!s:19} "
        f"{np.array_equal(response, flipped)!s:18} "
        f"{np.array_equal(response, -flipped)}"
    )

# %% [markdown]
# ## Try
#
# - Blur before you look for edges: apply Sobel to the response of the Gaussian. Which edges
#   disappear, and what happens to the lawn? Blur three times in a row and compare again.
# - Pad with `mode="replicate"` instead of `"reflect"` and print the difference across the border
#   again. Why is it no longer zero?
# - Take `data.coffee()`, which has three channels, and write one filter that turns it grey and
#   finds its edges in a single step.
#
# Sources: the operator is by I. Sobel and G. Feldman; see the
# [bibliography](../reference/bibliography.md#sobel). The page of
# [conventions](../reference/conventions.md) says how this site counts axes, sides and signs.
