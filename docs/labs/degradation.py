# ---
# jupyter:
#   cnnref:
#     given:
#       - "three times as"
#       - "Three times the"
#       - "a third of its"
#       - "28×28"
#       - "14×14"
#       - "3×3"
#       - "6n + 2"
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
# # Deeper plain networks train worse
#
# A deeper network should fit its training images at least as well as a shallower one, because its
# extra layers only have to pass their input through. Without shortcuts, beyond some depth, it does
# not. He and others
# ([arXiv:1512.03385](../reference/bibliography.md#he)) call this *degradation*, and
# [residual blocks](../topics/residual.md) are their remedy. Here is their experiment on a small
# scale.
#
# The training takes minutes, so the numbers come from a stored run of `experiments/degradation.py`,
# which `make labs` repeats. The build refuses them if that script, or any code it uses, has
# changed since.

# %%
import inspect
import statistics

import matplotlib.pyplot as plt
import numpy as np
import torch
from skimage import data

from experiments import degradation
from experiments.results import read

plt.rcParams.update({"font.size": 12, "figure.dpi": 90})
stored = read("degradation")
settings, runs = stored.data["settings"], stored.data["runs"]
for name, value in {**settings, **stored.provenance}.items():
    print(f"{name:9} {value}")

# %% [markdown]
# ## The networks
#
# They are those of the paper for small images, with fewer channels: one 3×3 convolution, then three
# stages of n blocks of two 3×3 convolutions, then a fully connected layer. That makes
# 6n + 2 layers with weights. Batch norm follows each convolution. The shortcuts of the residual
# nets have no weights, so plain and residual nets of the same depth have equally many parameters:

# %%
for blocks in degradation.BLOCKS:
    nets = [degradation.make_net(blocks, residual, seed=0) for residual in (False, True)]
    plain, residual = (sum(p.numel() for p in net.parameters()) for net in nets)
    print(
        f"n = {blocks}: {nets[0].weighted_layers:2} layers,"
        f" parameters plain {plain:,}, residual {residual:,}"
    )

# %% [markdown]
# They learn to classify ten kinds of clothes
# ([Fashion-MNIST](https://github.com/zalandoresearch/fashion-mnist) by Zalando SE, MIT licence).
# The images are averaged from 28×28 to 14×14 pixels, which saves time. This is the whole training:

# %%
print(inspect.getsource(degradation.fit))
steps = settings["epochs"] * settings["images"] // settings["batch"]
print(f"{steps} steps")

# %% [markdown]
# ## The training loss
#
# Each net was trained with each of the learning rates above. From here on we show the rate with the
# lower final training loss, on average over the seeds, so that no net looks bad because its rate was
# wrong. With only two rates, the chosen one is always at the edge of what was tried. A number after
# ± is a standard deviation over the seeds.


# %%
def chosen(layers, kind, epochs=settings["epochs"]):
    """Return the runs of a net, one a seed, at the rate with the lowest final training loss."""
    of_net = [
        run for run in runs if (run["layers"], run["kind"], run["epochs"]) == (layers, kind, epochs)
    ]
    by_rate = {rate: [r for r in of_net if r["rate"] == rate] for rate in settings["rates"]}
    return min(by_rate.values(), key=lambda some: statistics.mean(run["loss"][-1] for run in some))


def spread(values, percent=False):
    """Return mean ± standard deviation as text."""
    mean, deviation = statistics.mean(values), statistics.stdev(values)
    return f"{mean:5.1%} ± {deviation:5.1%}" if percent else f"{mean:.2f} ± {deviation:.2f}"


depths = sorted({run["layers"] for run in runs})
print("layers  kind      rate  training loss  training error   test error")
for kind in ("plain", "residual"):
    for layers in depths:
        some = chosen(layers, kind)
        print(
            f"{layers:6}  {kind:8}  {some[0]['rate']:4}  {spread([r['loss'][-1] for r in some])}"
            f"    {spread([r['train_error'] for r in some], percent=True)}"
            f"  {spread([r['test_error'] for r in some], percent=True)}"
        )

# %%
# alt: Two panels of falling curves, the training loss over the epochs. Left, plain nets: the
#   deeper the net, the higher its curve; the deepest ends far above the shallowest. Right,
#   residual nets: the curves of all depths lie close together and end low, the deeper ones lowest.
colors = dict(zip(depths, plt.colormaps["viridis"](np.linspace(0, 0.8, len(depths))), strict=True))
marks = dict(zip(depths, "os^D", strict=True))
figure, axes = plt.subplots(1, 2, figsize=(6.8, 4), sharey=True, layout="constrained")
for ax, kind in zip(axes, ("plain", "residual"), strict=True):
    for layers in depths:
        curves = np.array([run["loss"] for run in chosen(layers, kind)])
        epochs = np.arange(1, curves.shape[1] + 1)
        ax.fill_between(epochs, curves.min(0), curves.max(0), color=colors[layers], alpha=0.2)
        ax.plot(
            epochs, curves.mean(0), color=colors[layers], marker=marks[layers], markersize=4,
            label=f"{layers} layers",
        )  # fmt: skip
    ax.set(title=kind, xlabel="epoch", xticks=range(2, settings["epochs"] + 1, 2))
    ax.grid(alpha=0.3)
axes[0].set_ylabel("training loss")
axes[1].legend(fontsize=10)
plt.show()

# %% [markdown]
# Lines are means over the seeds, bands reach from the lowest seed to the highest. Among the plain
# nets the shallowest ends lowest, and each deeper one ends higher. This is the loss on the images
# they were trained on, so it is not overfitting: the deep nets fail to fit. Among the residual nets
# the deeper ones end *lower* than the shallowest: there the extra layers help.

# %%
for kind in ("plain", "residual"):
    ends = [statistics.mean(run["loss"][-1] for run in chosen(d, kind)) for d in depths]
    ratio = ends[-1] / ends[0]
    print(f"{kind:8}: loss of {depths[-1]} layers, divided by that of {depths[0]}: {ratio:.2f}")

# %% [markdown]
# ## Did it only need time?
#
# The deepest plain net once more, with three times as many epochs, and the learning rate falling as
# much more slowly:

# %%
deepest = depths[-1]
for name, some in (
    ("plain", chosen(deepest, "plain")),
    ("plain, longer", chosen(deepest, "plain", settings["longer"])),
    ("residual", chosen(deepest, "residual")),
    (f"plain, {depths[0]} layers", chosen(depths[0], "plain")),
):
    epochs = len(some[0]["loss"])
    print(f"{name:15}  {epochs} epochs, training loss {spread([r['loss'][-1] for r in some])}")

# %% [markdown]
# Three times the epochs help the deep plain net a lot. Still it ends above the residual net of its
# depth, and above the shallowest plain net, which had a third of its epochs. (The paper reports the
# same of its own nets.) So a good part of what depth costs the plain net is speed, and time alone
# does not make up for it here.
#
# ## The gradients, before any training
#
# Does the gradient vanish on its way through so many layers? The paper thinks not: its plain nets
# have batch norm, and their gradients had healthy norms. We can check. This is the norm of the
# loss's gradient with respect to the weights of each convolution, for the first batch, before any
# step:

# %%
# alt: Two panels on a logarithmic scale, the norm of the gradient over the number of the layer.
#   Left, plain nets: the shallowest is about flat; the deeper the net, the more its line rises
#   towards the input, for the deepest by orders of magnitude. Right, residual nets: the lines of
#   all depths run together, about flat, a little higher near the input.
norms = {}
for one in stored.data["gradients"]:
    norms.setdefault((one["kind"], one["layers"]), []).append(one["norms"])
figure, axes = plt.subplots(1, 2, figsize=(6.8, 4), sharey=True, layout="constrained")
for ax, kind in zip(axes, ("plain", "residual"), strict=True):
    for layers in depths:
        middle = np.exp(np.log(norms[kind, layers]).mean(axis=0))  # the geometric mean
        ax.semilogy(
            np.arange(1, len(middle) + 1), middle, color=colors[layers], marker=marks[layers],
            markersize=3, label=f"{layers} layers",
        )  # fmt: skip
    ax.set(title=kind, xlabel="convolution, from the input")
    ax.grid(alpha=0.3)
axes[0].set_ylabel("norm of the gradient")
axes[1].legend(fontsize=10)
plt.show()

# %%
print("gradient of the first convolution, divided by that of the last (geometric mean over seeds)")
for kind in ("plain", "residual"):
    ratios = [np.array(norms[kind, layers]) for layers in depths]
    texts = [
        f"{layers}: {np.exp(np.log(r[:, 0] / r[:, -1]).mean()):.1f}"
        for layers, r in zip(depths, ratios, strict=True)
    ]
    print(f"{kind:9}", "  ".join(texts))

# %% [markdown]
# The gradients do not vanish. In the residual nets they have much the same norm everywhere,
# whatever the depth. In the deep plain nets they *grow* on the way back from the loss: the deeper
# the net, the larger the gradient of its first layers. That of the last ones stays the same.
# So the paper is right that they do not die out, but "healthy" is not the word for these nets.
# Yang and others ([arXiv:1902.08129](https://arxiv.org/abs/1902.08129)) derive it: batch norm itself
# makes the gradient grow exponentially with depth in nets without shortcuts, however the weights
# are scaled. Whether this causes the higher loss, the experiment cannot tell.
#
# ## The same on your machine, now
#
# The gradients need no training and no data set. Here are the deepest nets on pieces of a
# photograph, drawn and measured while this page is built
# ([`skimage.data.camera`](https://scikit-image.org/docs/stable/api/skimage.data.html#skimage.data.camera),
# by Lav Varshney, CC0):

# %%
pieces = torch.from_numpy(data.camera() / 255).float().unfold(0, 14, 40).unfold(1, 14, 40)
pieces = pieces.reshape(-1, 1, 14, 14)[:100]
pieces = (pieces - pieces.mean()) / pieces.std()
labels = torch.arange(len(pieces)) % 10
for residual in (False, True):
    first = degradation.gradient_norms(max(degradation.BLOCKS), residual, 0, (pieces, labels))
    name = "residual" if residual else "plain"
    print(f"{name:8}  first convolution {first[0]:6.2f}, last {first[-1]:5.2f}")

# %% [markdown]
# The pictures are different and the labels are made up, and still we see much the same. The network
# causes it, more than the data.
#
# ## What the experiment does not show
#
# The nets are narrow, the images few and small, and the training short. It does not show how a plain
# net of this depth would do with other initial weights, with still more epochs, with a warm-up of
# the learning rate, or at a rate outside the two tried. It shows the paper's point: with the same
# recipe, depth harms the plain net on its own training images, and shortcuts, which cost no
# parameters, take that harm away.
#
# ## Try
#
# - `python -m experiments.degradation` runs everything again. `make labs` does so for all labs.
# - Take the batch norm out of the residual nets and look at the gradients again.
# - Use blocks with `order="pre"`. Does the deepest net learn faster?
# - Set `zero_init_last=True` in the residual nets: each block starts as an identity. What do the
#   gradients of the last convolution in each block look like in the first step?
#
# Sources: K. He, X. Zhang, S. Ren and J. Sun, *Deep residual learning for image recognition*,
# arXiv:1512.03385, sections 4.1 and 4.2; G. Yang, J. Pennington, V. Rao, J. Sohl-Dickstein and
# S. S. Schoenholz, *A mean field theory of batch normalization*,
# [arXiv:1902.08129](https://arxiv.org/abs/1902.08129).
