# ---
# jupyter:
#   cnnref:
#     given:
#       - "from 0 to 255"
#       - "14×14"
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
# # One photograph through two networks
#
# The page on [intermediate activations](../topics/activations.md) shows how to keep what a layer
# gives. Here one photograph goes through both pre-trained networks of this site, and we look in after
# each part: what the channels show, how large their numbers are, how many are silent, and how
# much of the photograph is still in them.
#
# The coffee cup comes inside scikit-image and is CC0; it is by Rachel Michetti, courtesy of Pikolo
# Espresso Bar. The weights come by pip. Nothing is downloaded.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from skimage import data

from cnnref.nn.activations import record_activations
from cnnref.nn.pretrained import efficientnet_lite0, squeezenet

plt.rcParams.update({"font.size": 11, "figure.dpi": 90, "image.interpolation": "nearest"})
coffee = data.coffee()
networks = {"SqueezeNet": squeezenet(), "EfficientNet-Lite0": efficientnet_lite0()}


def is_part(name, module):
    """Say whether a module is a child of `features`: a layer or a block."""
    return name.startswith("features.") and name.count(".") == 1


kept = {}
for network, model in networks.items():
    with record_activations(model, is_part) as record, torch.no_grad():
        model(model.preprocess(coffee))
    kept[network] = {name.split(".")[1]: calls[0][0] for name, calls in record.items()}
    shapes = [f"{name} {'×'.join(map(str, maps.shape))}" for name, maps in kept[network].items()]
    print(f"{network}: {len(shapes)} parts, from {shapes[0]} to {shapes[-1]}")

# %% [markdown]
# ## Layer by layer
#
# From each of five parts the four channels with the largest *spread* (standard deviation) on this
# photograph. Each picture has its own scale, from its smallest number to its largest.


# %%
def show(maps, parts, count=4):
    """Show the channels of largest spread, one row a part, each picture on its own scale."""
    figure, axes = plt.subplots(
        len(parts), count, figsize=(6.8, 2.25 * len(parts)), layout="constrained"
    )
    for row, part in zip(axes, parts, strict=True):
        chosen = maps[part].flatten(1).std(dim=1).topk(count).indices
        for ax, channel in zip(row, chosen.tolist(), strict=True):
            ax.imshow(maps[part][channel], cmap="viridis")
            ax.set(xticks=[], yticks=[])
            low, high = (float(value) for value in maps[part][channel].aminmax())
            ax.set_title(f"{channel}:\n{low:.0f} to {high:.0f}", fontsize=12)
        row[0].set_ylabel(part)
    plt.show()


# %%
# alt: Five rows of four channels of SqueezeNet. relu1: the cup as a sharp picture. fire3: the cup in
#   edges, or its light and dark areas. fire5: coarse spots on rim, coffee and spoon. fire7 and
#   fire9: a few large cells, on the coffee, along the rim, or beside the cup.
show(kept["SqueezeNet"], ["relu1", "fire3", "fire5", "fire7", "fire9"])

# %%
# alt: Five rows of four channels of EfficientNet-Lite0. stem: the cup as a sharp picture. block2: the
#   same, paler, with its edges. block5: squares, in which the rim of the cup can be guessed.
#   block10: squares without a picture. final: a few light cells in the middle of a coarse map.
show(kept["EfficientNet-Lite0"], ["stem", "block2", "block5", "block10", "final"])

# %% [markdown]
# In both the eye can recognise the photograph at first, and then no more. In Lite0 the blocks end
# without a ReLU, so their channels go below zero: there zero is neither the darkest shade nor the
# lightest, and a channel answers as much by a dark cell as by a light one.
#
# ## In numbers
#
# For each part: its shape, the smallest and the largest number, the share of numbers above zero, and
# the share of channels that are flat, the same everywhere on this photograph.


# %%
def measure(maps):
    """Return smallest, largest, share above zero, share of flat channels."""
    spread = maps.flatten(1).amax(dim=1) - maps.flatten(1).amin(dim=1)
    values = (maps.min(), maps.max(), (maps > 0).float().mean(), (spread == 0).float().mean())
    return [float(value) for value in values]


lines = []
for network, parts in kept.items():
    lines += [network, f"{'part':8} {'shape':>12} {'from':>8} {'to':>8} {'above 0':>8} {'flat':>6}"]
    for part, maps in parts.items():
        low, high, positive, flat = measure(maps)
        shape = "×".join(str(side) for side in maps.shape)
        lines.append(f"{part:8} {shape:>12} {low:8.2f} {high:8.2f} {positive:8.0%} {flat:6.0%}")
print("\n".join(lines))

# %% [markdown]
# The two networks count in different units. SqueezeNet reads pixels from 0 to 255 less a mean and has
# no batch norm, so its numbers run into the hundreds. Lite0 normalises everywhere, and its ReLU6 cuts
# off at six: see the largest number after the stem and at the end.
#
# ## How much of the photograph is left?
#
# A rough measure: predict the grey values of the photograph, shrunk to the size of the map, from all
# channels of one cell, by a linear rule fitted on every second cell (like the squares of a
# chessboard) and tested on the others. The result is the share of the *test* cells' variance that the
# rule explains. With many channels and few cells a rule can be fitted to anything, so it is held
# down (ridge regression), and only maps of at least 14×14 cells are asked.


# %%
def explained(maps, grey):
    """Return the share of the grey values' variance that a linear rule predicts on unseen cells."""
    height, width = maps.shape[1:]
    target = torch.nn.functional.adaptive_avg_pool2d(grey[None], (height, width))[0].flatten()
    cells = maps.flatten(1).T.double()
    cells = (cells - cells.mean(dim=0)) / cells.std(dim=0).clamp(min=1e-6)
    down, across = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    fitted = ((down + across) % 2 == 0).flatten()
    target = target.double()
    middle = target[fitted].mean()
    rows, wanted = cells[fitted], target[fitted] - middle
    held = rows.T @ rows + 0.1 * len(rows) * torch.eye(rows.shape[1], dtype=torch.float64)
    rule = torch.linalg.solve(held, rows.T @ wanted)
    errors = target[~fitted] - middle - cells[~fitted] @ rule
    return 1 - float(errors.square().sum() / (target[~fitted] - target[~fitted].mean()).square().sum())


left = {}
for network, model in networks.items():
    grey = model.crop(coffee)[0].mean(dim=0) / 255
    left[network] = {
        part: explained(maps, grey)
        for part, maps in kept[network].items()
        if min(maps.shape[1:]) >= 14
    }
for network, shares in left.items():
    print(f"{network}:")
    print("  " + "\n  ".join(f"{part:8} {share:.2f}" for part, share in shares.items()))

# %% [markdown]
# Fine detail is gone in any case, since the photograph is shrunk to the map's size for this
# comparison. What is asked is whether a cell still says how bright its *own* place is. It does: a
# little is lost on the way, and most is still there at the last of these maps. A network that
# was trained to name things has no use for the brightness of each place, and still carries it along.
# And neighbouring cells are alike, which makes the test easier than it looks.
#
# ## Common or own scale
#
# The last fire module once more: the channels in order of their largest number.

# %%
# alt: The largest number of each of the channels of fire9, sorted, on a logarithmic axis. A
#   short steep part at the left, a long slope, and an end after which channels are zero.
largest = kept["SqueezeNet"]["fire9"].amax(dim=(1, 2)).sort(descending=True).values
alive = int((largest > 0).sum())
figure, ax = plt.subplots(figsize=(6.8, 3.2), layout="constrained")
ax.semilogy(largest[:alive], color="#0072b2")
ax.axvline(alive, color="#b93c0a", linestyle="--")
ax.set(xlabel="channels of fire9, strongest first", ylabel="largest number", xlim=(0, len(largest)))
ax.grid(alpha=0.3)
plt.show()
print(f"{alive} of {len(largest)} channels answer; the strongest {float(largest[0]):.0f}, "
      f"the middle one of these {float(largest[alive // 2]):.0f}, the last {float(largest[alive - 1]):.1g}")

# %% [markdown]
# On a scale of its own, each of them would be a picture with a lightest cell. On one scale, most would be
# dark. Whichever you draw, say it.
#
# ## Try
#
# - Record `lambda name, module: isinstance(module, torch.nn.ReLU6)` in Lite0, which looks inside the
#   blocks. How many numbers are at exactly six?
# - Send the photograph through mirrored. Are the maps mirrored, in every part?
# - Send a photograph of one colour through. Which channels answer, and where in the map do they differ?
# - Which channel of `fire5` changes most from the cup to the cat, `data.chelsea()`?
#
# The page on [intermediate activations](../topics/activations.md#sources) lists the sources.
