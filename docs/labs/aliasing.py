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
#       - "2×2"
#       - "five seeds"
#       - "strides of 2"
#       - "b/8"
#       - "1/4 of a cycle"
#       - "PMLR 97:7324"
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
# strided convolution change their output when the image moves by one pixel. How much does that
# matter on photographs? This lab measures three things: which share of a layer's output is folded,
# how far the output is from a true shift, and how often a trained network changes its prediction.
#
# Both photographs come with scikit-image and are CC0, as it says under
# [`skimage.data`](https://scikit-image.org/docs/stable/api/skimage.data.html): the coffee cup is by
# Rachel Michetti, courtesy of Pikolo Espresso Bar, and the brick wall is from CC0Textures. Nothing
# is downloaded.

# %%
import matplotlib.pyplot as plt
import numpy as np
from skimage import data

import cnnref

plt.rcParams.update({"font.size": 12, "figure.dpi": 90, "image.interpolation": "nearest"})

# %% [markdown]
# ## The photographs

# %%
grey = data.coffee() @ [0.299, 0.587, 0.114] / 255  # how bright red, green and blue look
cup = grey[100:292, 40:232]  # a part with a rim, a saucer and the grain of the table
wall = data.brick()[:192, :192] / 255

for name, photo in (("cup", cup), ("wall", wall)):
    print(f"{name}: {photo.shape} pixels, from {photo.min():.2f} to {photo.max():.2f}")


# %%
def show(pictures, titles, high=1.0, low=0.0, cmap="gray", bar=False):
    """Show pictures next to each other, all on the same range of brightness."""
    figure, axes = plt.subplots(1, len(pictures), figsize=(6.8, 3.7), layout="constrained")
    for ax, picture, title in zip(axes, pictures, titles, strict=True):
        image = ax.imshow(picture, cmap=cmap, vmin=low, vmax=high)
        ax.set(title=title, xticks=[], yticks=[])
    if bar:
        figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.7)
    plt.show()


# %%
# alt: Left, part of a grey photograph: the white rim of a cup, its dark saucer with a few
#   highlights, and the grain of a wooden table. Right, a brick wall seen at an angle, with pale
#   joints a few pixels wide.
show([cup, wall], ["cup", "wall"])

# %% [markdown]
# ## Fewer pixels, with and without a blur
#
# Keep every second pixel, three times in a row: the wall shrinks to an eighth of its sides. Its
# joints are narrower than the step from one kept pixel to the next. Where a kept pixel happens to
# fall on a joint, the joint is there; elsewhere it is gone. `blur_pool2d` blurs with the weights
# (1, 2, 1)/4 down and across before it keeps every second pixel.

# %%
plain = blurred = wall[None]
for _ in range(3):
    plain = plain[:, ::2, ::2]
    blurred = cnnref.blur_pool2d(blurred, stride=2)
print("sides before:", wall.shape, "after:", plain[0].shape, blurred[0].shape)

# %%
# alt: The shrunken wall, twice. Without a blur the joints are broken: bright dashes that come and
#   go, and some are missing altogether. With a blur every joint is there, paler and unbroken.
show([plain[0], blurred[0]], ["no blur", "blur before each stride"], high=0.8, low=0.2)

# %% [markdown]
# ## What a stride folds
#
# Two things change when you blur: less is folded, and less detail is left. A fair measure keeps
# them apart. The Fourier transform splits a map into waves. At stride 2, waves below 1/4 of a cycle
# per pixel, down and across, can be told apart afterwards. All others are *folded*: they look like
# slower waves. Everything from the map to the output (blur, stride, blur) is linear. So split the
# map into its coarse part and its fine part, and send each through separately:
#
# - **folded**: the share of the output's variance that comes from the fine part. This is aliasing.
# - **kept**: what is left of the coarse part's variance. This is bandwidth.
#
# The map is the output of a layer before its stride: random 3×3 filters with a ReLU, for each of
# five seeds, or the maximum of each 2×2 pixels. Everything wraps around at the border.


# %%
def fine_waves(shape):
    """Return which waves a stride of two folds."""
    down, across = (np.abs(np.fft.fftfreq(size)) for size in shape[-2:])
    return np.maximum(down[:, None], across) >= 0.25


def ideal(maps):
    """Take out all waves that a stride of two folds, and nothing else."""
    return np.fft.ifft2(np.fft.fft2(maps) * ~fine_waves(maps.shape)).real


def blur(maps, taps=3):
    """Blur with (1, 2, 1)/4, or with a longer row of Pascal's triangle."""
    return cnnref.blur_pool2d(maps, taps, stride=1, padding_mode="circular")


def nothing(maps):
    """Return the maps."""
    return maps


# What happens before the stride, and after it.
ways = {
    "no blur": (nothing, nothing),
    "3 taps before": (blur, nothing),
    "5 taps before": (lambda maps: blur(maps, 5), nothing),
    "ideal before": (ideal, nothing),
    "3 taps after": (nothing, blur),
}


def variance(maps):
    """Return the mean variance of the maps."""
    return maps.var(axis=(-2, -1)).mean()


def folded_and_kept(dense, way):
    """Return the folded share of the output, and how much of the coarse part is kept."""
    before, after = ways[way]
    coarse = ideal(dense)
    true = variance(after(before(coarse)[..., ::2, ::2]))
    false = variance(after(before(dense - coarse)[..., ::2, ::2]))
    return false / (false + true), true / variance(coarse[..., ::2, ::2])


def layer(maps, weight=None):
    """Return a layer's output before its stride: max pooling, or a convolution and ReLU."""
    if weight is None:
        return cnnref.max_pool2d(cnnref.pad2d(maps, ((0, 1), (0, 1)), "circular"), 2, stride=1)
    return cnnref.relu(cnnref.conv2d(cnnref.pad2d(maps, 1, "circular"), weight))


def random_weights(seed):
    """Return three layers of filters, as a network has them before training."""
    random = np.random.default_rng(seed)
    return [
        random.normal(scale=np.sqrt(2 / (9 * channels)), size=(8, channels, 3, 3))
        for channels in (1, 8, 8)
    ]


stacks = {"max pooling": [[None] * 3], "convolution": [random_weights(seed) for seed in range(5)]}
one_stride = {}
for kind, members in stacks.items():
    print(f"{kind:14} folded, lowest to highest   kept")
    for way in ways:
        values = [folded_and_kept(layer(wall[None], weights[0]), way) for weights in members]
        folded, kept = np.array(values).T
        one_stride[kind, way] = folded.mean(), kept.mean()
        spread = f"{folded.min():6.2%} to {folded.max():6.2%}"
        print(f"{way:14} {folded.mean():6.2%}  {spread}    {kept.mean():4.0%}")

# %% [markdown]
# The ideal filter folds nothing and keeps everything. The short blur removes most of the folding and
# pays with some detail. The longer one removes nearly all of it and pays more. The same short blur
# **after** the stride is worse on both counts: it takes more detail and leaves more of the folding.
# It cannot tell a folded wave from a true one. It only happens to hit more of the folded ones,
# because most of them land among the finest waves of the smaller map.
#
# ## Three strides in a row
#
# Now stack three such layers. If nothing were folded, moving the image by b pixels would move the
# output by b/8 of a cell. A shift by a fraction of a cell is well defined for a map of waves: turn
# each wave's phase. So move the photograph pixel by pixel and measure how far the output is from the
# true shift of the first output, as a share of the map's own spread (its standard deviation).


# %%
def stack(photo, weights, way):
    """Return the output of three layers with a stride of two each."""
    maps, (before, after) = photo[None], ways[way]
    for weight in weights:
        maps = after(before(layer(maps, weight))[..., ::2, ::2])
    return maps


def moved(maps, cells):
    """Move maps to the right by a fraction of a cell."""
    waves = np.fft.fftfreq(maps.shape[-1])
    turn = np.exp(-2j * np.pi * waves * cells)
    turn[maps.shape[-1] // 2] = np.cos(np.pi * cells)  # the finest wave has no phase
    return np.fft.ifft(np.fft.fft(maps, axis=-1) * turn, axis=-1).real


def off_the_shift(photo, weights, way):
    """Return the distance to the true shift for each shift up to one cell of the output."""
    outputs = [stack(np.roll(photo, by, axis=1), weights, way) for by in range(9)]
    # After as many pixels as the strides multiply to, the output has moved by exactly one cell.
    assert np.allclose(outputs[8], np.roll(outputs[0], 1, axis=-1))
    apart = [((output - moved(outputs[0], by / 8)) ** 2).mean() for by, output in enumerate(outputs)]
    return np.sqrt(apart / variance(outputs[0]))


curves = {
    (name, kind, way): np.array([off_the_shift(photo, weights, way) for weights in members])
    for name, photo in (("cup", cup), ("wall", wall))
    for kind, members in stacks.items()
    for way in ways
}
for name in ("cup", "wall"):
    for kind in stacks:
        print(f"{name}, {kind}: largest distance, lowest to highest of the seeds")
        for way in ways:
            worst = curves[name, kind, way].max(axis=1)
            print(f"  {way:14} {worst.mean():.2f}  {worst.min():.2f} to {worst.max():.2f}")

# %%
# alt: Curves of the distance to the true shift over the number of pixels moved, for convolutions on
#   the wall, one line per way, each the mean of five seeds with a band from lowest to highest. All
#   start at zero and end at zero. Without a blur the curve is by far the highest. With a short blur
#   before each stride it is less than half as high, and with the long blur and the ideal filter lower.
figure, ax = plt.subplots(figsize=(6.6, 4), layout="constrained")
styles = {"no blur": "-o", "3 taps before": "--s", "5 taps before": "-.^", "ideal before": ":d"}
colours = dict(zip(styles, ("#b93c0a", "#0072b2", "#009e73", "#5a3d8a"), strict=True))
for way, style in styles.items():
    runs = curves["wall", "convolution", way]
    ax.plot(runs.mean(axis=0), style, color=colours[way], label=way)
    ax.fill_between(range(9), runs.min(axis=0), runs.max(axis=0), color=colours[way], alpha=0.15)
ax.set(xlabel="pixels moved", ylabel="off the true shift, share of spread", ylim=(0, None))
ax.grid(alpha=0.3)
ax.legend(fontsize=10)
plt.show()

# %% [markdown]
# The ideal filter does not reach zero. It folds nothing at a stride, but each ReLU and each maximum
# makes new fine waves on the coarser grid, and they fold at once. The blur *after* each stride does
# well here, because in a stack it comes *before* the next stride, and because it leaves little
# detail that could be off. So this measure alone would mislead; the table above shows the cost.
#
# ## Where it happens
#
# The output half way, minus the true shift. Bright cells are those that jump. They are on edges and
# highlights, where the photograph has more detail than the output can carry.

# %%
jumps = []
for way in ("no blur", "3 taps before"):
    first, half = (stack(np.roll(cup, by, axis=1), [None] * 3, way) for by in (0, 4))
    jumps.append(np.abs(half - moved(first, 0.5))[0] / first.std())
    print(f"{way:14} mean {jumps[-1].mean():.2f}, largest {jumps[-1].max():.2f}")

# %%
# alt: Two maps of the jumps. Without a blur the edge of the saucer, the side of the cup and the
#   highlights are bright. With a blur before each stride the same places are faint, and most of the
#   map is dark.
show(jumps, ["max pooling", "max pooling, blurred"], high=1.3, cmap="inferno", bar=True)

# %% [markdown]
# ## The same through PyTorch
#
# Blur pooling is a convolution with a fixed filter and one group per channel. Max pooling at stride
# 1, then this at stride 2:

# %%
import torch

row = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64) / 4
kernel = torch.outer(row, row)[None, None]
ours = cup[None]
x = torch.from_numpy(ours[None])
for _ in range(3):
    ours = cnnref.blur_pool2d(cnnref.max_pool2d(ours, 2, stride=1), stride=2)
    x = torch.nn.functional.max_pool2d(x, 2, stride=1)
    x = torch.nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")
    x = torch.nn.functional.conv2d(x, kernel, stride=2)
print("equal up to rounding:", np.allclose(ours, x[0].numpy()))

# %% [markdown]
# ## Trained with and without a blur
#
# Does it matter after training? A small network learned Fashion-MNIST with each of several seeds, in
# four ways. It has three convolutions, each with max pooling at stride 2, and a mean over the last
# map. Only what is around the strides differs. Then the test images move pixel by pixel, and we count
# how often a step of one pixel changes the prediction. The training takes minutes, so its results
# are stored (`experiments/aliasing.py`).

# %%
from experiments.results import read

stored = read("aliasing").data
print({key: stored["settings"][key] for key in ("seeds", "train", "test", "epochs")})
print("               accuracy  changed by a step   lowest to highest")
for way in dict.fromkeys(run["way"] for run in stored["runs"]):
    runs = [run for run in stored["runs"] if run["way"] == way]
    accuracy = np.mean([run["accuracy"] for run in runs])
    steps = np.array([run["changed_by_a_pixel"] for run in runs])
    spread = f"{steps.min():5.1%} to {steps.max():5.1%}"
    print(f"{way:14} {accuracy:8.1%} {steps.mean():12.1%}          {spread}")

# %% [markdown]
# The blur before the stride prevents most of the changes. It costs some accuracy here; the ideal
# filter, which removes no coarse detail, costs less. The blur after the stride costs more accuracy
# and prevents fewer changes.
#
# ## A network that someone else trained
#
# SqueezeNet has four strides of 2. Move the window that it sees over a photograph, pixel by pixel,
# and write down each prediction.

# %%
from cnnref.nn.pretrained import class_names, squeezenet

torch.set_num_threads(1)
network, names = squeezenet(), class_names()
STEPS = 16
for photograph in ("chelsea", "rocket", "astronaut"):
    colour = torch.from_numpy(getattr(data, photograph)()).permute(2, 0, 1)[None].float()
    scale = 260 / min(colour.shape[2:])
    colour = torch.nn.functional.interpolate(
        colour, scale_factor=scale, mode="bilinear", antialias=True
    ).clamp(0, 255)
    side = network.input_size
    left = (colour.shape[3] - side - STEPS) // 2
    crops = [colour[..., 16 : 16 + side, at : at + side] for at in range(left, left + STEPS + 1)]
    with torch.no_grad():
        best = torch.cat([network(network.normalize(crop)) for crop in crops]).argmax(dim=1)
    changes = int((best[1:] != best[:-1]).sum())
    seen = ", ".join(names[i] for i in dict.fromkeys(best.tolist()))
    print(f"{photograph:10} {changes} changes in {STEPS} steps: {seen}")

# %% [markdown]
# A few photographs only show that it happens. Azulay and Weiss measured how often, on ImageNet.
#
# ## Try
#
# - Move the camera down instead of to the right, or along the diagonal.
# - Replace max pooling by the mean of 2×2 pixels. It is a short blur of its own: how much does the
#   first table show as folded?
# - Blur with `stride=1` before the photograph enters the network. Does that help as much as a blur
#   in each layer? At what cost?
# - Give SqueezeNet another photograph, and look for a shift that changes its prediction.
#
# Sources: R. Zhang, *Making convolutional networks shift-invariant again*, PMLR 97:7324, and
# A. Azulay and Y. Weiss, *Why do deep convolutional networks generalize so poorly to small image
# transformations?*, 2019; see the [bibliography](../reference/bibliography.md#zhang).
