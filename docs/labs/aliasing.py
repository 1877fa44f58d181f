# ---
# jupyter:
#   cnnref:
#     given:
#       - "three times in"
#       - "half as high"
#       - "stride 1"
#       - "stride 2"
#       - "(1, 2, 1)/4"
#       - "3×3"
#       - "PMLR 97:7324"
#       - "`cnnref.avg_pool2d(x, 2)`"
#       - "`stride=1`"
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
# # One pixel to the side
#
# The page on [aliasing](../topics/aliasing.md) shows on a row of stripes that strided pooling and
# strided convolution change their output when the image moves by one pixel. Does that matter on
# photographs? Here a camera moves over two of them, pixel by pixel, and we watch what layers
# make of it, with and without a blur before each stride.
#
# Both photographs come inside scikit-image and are CC0, as it states under
# [`skimage.data`](https://scikit-image.org/docs/stable/api/skimage.data.html): the coffee cup is by
# Rachel Michetti, courtesy of Pikolo Espresso Bar, and the brick wall comes from CC0Textures. So
# nothing is downloaded.

# %%
import matplotlib.pyplot as plt
import numpy as np
from skimage import data

import cnnref

plt.rcParams.update({"font.size": 12, "figure.dpi": 90, "image.interpolation": "nearest"})

# %% [markdown]
# ## The photographs

# %%
grey = data.coffee() @ [0.299, 0.587, 0.114] / 255  # the eye's weights for red, green, blue
cup = grey[100:292, 40:240]  # a part with a rim, a saucer and the grain of the table
wall = data.brick() / 255

for name, photo in (("cup", cup), ("wall", wall)):
    print(f"{name}: {photo.shape} pixels, from {photo.min():.2f} to {photo.max():.2f}")


# %%
def show(pictures, titles, high=1.0, low=0.0, cmap="gray", bar=False):
    """Show pictures beside each other, all on the same range of brightness."""
    figure, axes = plt.subplots(1, len(pictures), figsize=(6.8, 3.7), layout="constrained")
    for ax, picture, title in zip(axes, pictures, titles, strict=True):
        image = ax.imshow(picture, cmap=cmap, vmin=low, vmax=high)
        ax.set(title=title, xticks=[], yticks=[])
    if bar:
        figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.7)
    plt.show()


# %%
# alt: Left, a part of a grey photograph: the white rim of a cup, its dark saucer with a few
#   highlights, and the grain of a wooden table. Right, a brick wall seen at a slant, with pale
#   joints a few pixels wide.
show([cup, wall[:192, :200]], ["cup", "wall"])

# %% [markdown]
# ## Fewer pixels, with and without a blur
#
# Keep every second pixel, three times in a row: the wall shrinks to an eighth of its sides. Its
# joints are narrower than the step from one kept pixel to the next. Where a kept pixel happens to
# fall on a joint, the joint is there; elsewhere it is gone. `blur_pool2d` blurs with the weights
# (1, 2, 1)/4 down and across before it keeps every second pixel.

# %%
plain = wall[None]
blurred = wall[None]
for _ in range(3):
    plain = plain[:, ::2, ::2]
    blurred = cnnref.blur_pool2d(blurred, stride=2)
print("sides before:", wall.shape, "after:", plain[0].shape, blurred[0].shape)

# %%
# alt: The shrunken wall, twice. Without a blur the joints are broken: bright dashes that come and
#   go, and some are missing altogether. With a blur every joint is there, paler and unbroken.
show([plain[0], blurred[0]], ["no blur", "blur before each stride"], high=0.8, low=0.2)

# %% [markdown]
# How much of a picture is too fine? The Fourier transform splits it into waves. Those with more
# than half a cycle for each *kept* pixel, down or across, cannot be told from slower ones
# afterwards: they are folded. Here is their share of the picture's variance (the mean square of its
# distance from its mean), before each of the three strides. A *tap* is one weight of the blur along
# an axis; one tap is no blur, three are (1, 2, 1)/4.


# %%
def folded_share(picture):
    """Return the share of the variance in waves that a stride of two would fold."""
    power = np.abs(np.fft.fft2(picture - picture.mean())) ** 2
    down, across = (np.abs(np.fft.fftfreq(size)) for size in picture.shape)
    too_fine = np.maximum(down[:, None], across) > 0.25  # a quarter of a cycle a pixel
    return power[too_fine].sum() / power.sum()


for taps in (1, 3, 5):
    picture, shares = wall[None], []
    for _ in range(3):
        soft = cnnref.blur_pool2d(picture, kernel_size=taps, stride=1)  # one tap: no blur
        shares.append(f"{folded_share(soft[0]):6.1%}")
        picture = soft[:, ::2, ::2]
    print(f"taps {taps}: before the first, second and third stride", *shares)

# %% [markdown]
# Three taps are a gentle filter and leave some of it. Five taps leave less, and soften the picture
# more.
#
# ## Layers that shrink
#
# Four small stacks, each three layers deep, each with a stride of two in every layer: max pooling
# and convolution, without and with a blur before the stride. The convolutions have eight filters
# of 3×3 with random weights, as a network has them before training, and a ReLU.

# %%
random = np.random.default_rng(0)
weights = [
    random.normal(scale=np.sqrt(2 / (9 * channels)), size=(8, channels, 3, 3))
    for channels in (1, 8, 8)
]


def max_plain(x):
    for _ in range(3):
        x = cnnref.max_pool2d(x, 2, stride=2)
    return x


def max_blurred(x):
    for _ in range(3):
        x = cnnref.blur_pool2d(cnnref.max_pool2d(x, 2, stride=1), stride=2)
    return x


def convolution_plain(x):
    for w in weights:
        x = cnnref.relu(cnnref.conv2d(x, w, stride=2, padding=1))
    return x


def convolution_blurred(x):
    for w in weights:
        x = cnnref.blur_pool2d(cnnref.relu(cnnref.conv2d(x, w, padding=1)), stride=2)
    return x


stacks = {
    "max pooling": max_plain,
    "max pooling, blurred": max_blurred,
    "convolution": convolution_plain,
    "convolution, blurred": convolution_blurred,
}
for name, stack in stacks.items():
    print(f"{name:21} {cup[None, :, :192].shape} -> {stack(cup[None, :, :192]).shape}")

# %% [markdown]
# ## The camera moves
#
# Cut a square out of the photograph, and cut it again further and further to the right. This is a
# real shift: new pixels come in at one side. After as many pixels as the three strides multiply
# to, the output must be the first one moved by exactly one cell, away from the borders. That is
# [equivariance](../topics/aliasing.md#shifts-and-strides), and it holds for all four:


# %%
def outputs_of(stack, photo, shifts=9, border=3):
    """Return the outputs at growing shifts, without the cells near the border."""
    crops = np.stack([photo[None, :192, by : by + 192] for by in range(shifts)])
    return stack(crops)[:, :, border:-border, border:-border]


outputs = {name: outputs_of(stack, cup) for name, stack in stacks.items()}
for name, maps in outputs.items():
    first, last = maps[0], maps[-1]
    print(f"{name:21} moved by one cell: {np.allclose(last[..., :-1], first[..., 1:])}")

# %% [markdown]
# And in between? The output should *glide* from the first to the last, since the camera moves
# evenly. So compare it with an even mixture of the two, and measure how far it is off, as a share
# of the map's own spread (its standard deviation). A blur makes a map paler; dividing by the
# spread takes that out of the comparison.


# %%
def off_the_glide(maps):
    """Return, for each shift, the distance to an even glide from the first map to the last."""
    shares = np.linspace(0, 1, len(maps))[:, None, None, None]
    glide = (1 - shares) * maps[0] + shares * maps[-1]
    spread = np.sqrt(maps[0].var(axis=(1, 2)).mean())
    return np.sqrt(((maps - glide) ** 2).mean(axis=(1, 2, 3))) / spread


curves = {name: off_the_glide(maps) for name, maps in outputs.items()}
print("pixels moved          " + " ".join(f"{by:5}" for by in range(9)))
for name, curve in curves.items():
    print(f"{name:21} " + " ".join(f"{value:5.2f}" for value in curve))

# %%
# alt: Four curves over the number of pixels moved. All start at zero, rise to a crest half way and
#   come back to zero. Plain convolution rises highest, plain max pooling about half as high; the
#   blurred form of each stays well below its plain one.
figure, ax = plt.subplots(figsize=(6.6, 4), layout="constrained")
styles = {
    "max pooling": dict(color="#0072b2", marker="o"),
    "max pooling, blurred": dict(color="#0072b2", marker="o", linestyle="--", markerfacecolor="w"),
    "convolution": dict(color="#b93c0a", marker="s"),
    "convolution, blurred": dict(color="#b93c0a", marker="s", linestyle="--", markerfacecolor="w"),
}
for name, curve in curves.items():
    ax.plot(curve, label=name, **styles[name])
ax.set(xlabel="pixels moved", ylabel="off the glide, share of spread")
ax.set_ylim(0, 1.35 * max(curve.max() for curve in curves.values()))
ax.grid(alpha=0.3)
ax.legend(fontsize=10, ncols=2, loc="upper center")
plt.show()

# %%
for kind in ("max pooling", "convolution"):
    worst, mended = curves[kind].max(), curves[f"{kind}, blurred"].max()
    print(f"{kind:12} worst {worst:.2f}, blurred {mended:.2f}: divided by {worst / mended:.1f}")

# %% [markdown]
# ## Where it happens
#
# The output at half way, minus the glide: bright cells are those that jump. They lie on edges and
# highlights, where the photograph holds more detail than the output can carry.

# %%
middle = 4
jumps = []
for name in ("max pooling", "max pooling, blurred"):
    maps = outputs[name]
    jump = np.abs(maps[middle] - (maps[0] + maps[-1]) / 2)[0] / maps[0].std()
    jumps.append(jump)
    print(f"{name:21} mean {jump.mean():.2f}, largest {jump.max():.2f}")

# %%
# alt: Two maps of the jumps. With plain max pooling the edge of the saucer, the side of the cup and
#   the highlights are bright. With a blur before each stride the same places are faint, and most
#   of the map is dark.
show(jumps, ["max pooling", "max pooling, blurred"], high=1.3, cmap="inferno", bar=True)

# %% [markdown]
# ## The same on the wall
#
# The wall has fine detail everywhere, so everything is worse there, and the blur mends a smaller
# part of it. This is the limit of three weights: joints this narrow hold waves that are
# too fine for every one of the strides.

# %%
for kind in ("max pooling", "convolution"):
    worst, mended = (
        off_the_glide(outputs_of(stacks[name], wall)).max() for name in (kind, f"{kind}, blurred")
    )
    print(f"{kind:12} worst {worst:.2f}, blurred {mended:.2f}: divided by {worst / mended:.1f}")

# %% [markdown]
# ## The same through PyTorch
#
# Blur pooling is a convolution with a fixed filter and one group for each channel. Max pooling at
# stride 1, then this at stride 2:

# %%
import torch

row = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64) / 4
kernel = torch.outer(row, row)[None, None]
x = torch.from_numpy(cup[None, None, :, :192])
for _ in range(3):
    x = torch.nn.functional.max_pool2d(x, 2, stride=1)
    x = torch.nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")
    x = torch.nn.functional.conv2d(x, kernel, stride=2, groups=x.shape[1])
ours = max_blurred(cup[None, None, :, :192])
print("largest absolute difference:", f"{np.abs(ours - x.numpy()).max():.0e}")
print("equal but for rounding:", np.allclose(ours, x.numpy()))

# %% [markdown]
# ## Try
#
# - Give `blur_pool2d` a `kernel_size` of five. How far does the wall's curve fall, and what does
#   the shrunken wall look like?
# - Replace max pooling by `cnnref.avg_pool2d(x, 2)`. It is a blur of two pixels, with no overlap:
#   where does its curve lie, on the cup and on the wall?
# - Blur *after* the stride instead of before it, with `stride=1`. Why does that mend nothing of the
#   false pattern?
# - Move the camera down instead of to the right, or along the diagonal.
#
# Source: R. Zhang, *Making convolutional networks shift-invariant again*, PMLR 97:7324; see the
# [bibliography](../reference/bibliography.md#zhang).
