# ---
# jupyter:
#   cnnref:
#     given:
#       - "thousand classes"
#       - "a tenth of PyTorch"
#       - "ten times as"
#       - "of sixteen"
#       - "three times as"
#       - "hundred batches"
#       - "`requires_grad=False`"
#       - "`momentum` of 0.1"
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
# # Frozen batch norm
#
# The page on [freezing](../topics/freezing.md) shows by hand that `requires_grad=False` does not
# freeze batch norm: in train mode its running mean and variance still move. Does that matter on a
# real network? Here EfficientNet-Lite0, trained on ImageNet, only *sees* pictures. No gradient
# is computed and there is no optimizer, yet it forgets what a cat looks like. Then a head is
# trained on it, with batch norm frozen and with batch norm in train mode.
#
# The photographs come inside scikit-image, which lists
# [their licences](https://scikit-image.org/docs/stable/api/skimage.data.html): the cat by Stefan
# van der Walt and the coffee cup by Rachel Michetti are CC0; the astronaut is by NASA, the
# rocket by SpaceX. The weights come by pip. Nothing is downloaded.

# %%
import copy

import matplotlib.pyplot as plt
import numpy as np
import torch
from skimage import data
from torch import nn

from cnnref.nn.pretrained import class_names, efficientnet_lite0
from cnnref.nn.transfer import freeze

plt.rcParams.update({"font.size": 12, "figure.dpi": 90})
lite0 = efficientnet_lite0()
norms = [name for name, layer in lite0.named_modules() if isinstance(layer, nn.BatchNorm2d)]
statistics = sum(2 * lite0.get_submodule(name).running_mean.numel() for name in norms)
print(f"{len(norms)} layers of batch norm, with {statistics:,} running means and variances")
print("momentum:", {lite0.get_submodule(name).momentum for name in norms})

# %% [markdown]
# ## The new pictures
#
# Small grey crops of four photographs. For training they come from the left halves, for testing
# from the right halves. They are unlike what Lite0 has seen: without color, and so close up that most
# show no whole object.

# %%
photos = [data.chelsea(), data.coffee(), data.astronaut(), data.rocket()]


def crops(side, count, seed, size=48):
    """Cut grey squares from the left halves of the photographs (side zero), or the right ones."""
    random, squares = np.random.default_rng(seed), []
    for photo in photos:
        half = np.array_split(photo @ [0.299, 0.587, 0.114], 2, axis=1)[side]
        for _ in range(count):
            top, left = (random.integers(0, n - size + 1) for n in half.shape)
            squares.append(half[top : top + size, left : left + size])
    images = torch.tensor(np.stack(squares), dtype=torch.float32)[:, None].repeat(1, 3, 1, 1)
    return lite0.normalize(images), torch.arange(len(photos)).repeat_interleave(count)


# %%
# alt: Two rows of four gray crops, one column per photograph: fur for the cat, a dark table top for
#   the coffee, a blurred background and the folds of a suit for the astronaut, and plain dark sky
#   for the rocket.
images, _ = crops(0, count=2, seed=1)
figure, axes = plt.subplots(2, 4, figsize=(6.6, 3.4), layout="constrained")
for place, (ax, image) in enumerate(zip(axes.T.flat, images, strict=True)):
    ax.imshow(image[0], cmap="gray", vmin=-1, vmax=1)
    ax.set(xticks=[], yticks=[])
    if place % 2 == 0:
        ax.set_title(["cat", "coffee", "astronaut", "rocket"][place // 2])
plt.show()

# %% [markdown]
# ## Looking is enough
#
# All parameters are frozen by their flags. The network is in train mode, as a training loop would
# put it, and sees one batch after another. After every few batches it is asked, in eval
# mode, about the full photograph of the cat: how probable are the five kinds of cats among its
# thousand classes? The next columns say how far the statistics have moved, on average over all
# channels: the running means in units of the initial standard deviation, and the standard
# deviations as a share of what they were.

# %%
cat = lite0.preprocess(data.chelsea())
names = class_names()


def cats(model):
    """Return the probability of a cat and the likeliest class, in eval mode."""
    model.eval()
    with torch.no_grad():
        shares = model(cat).softmax(dim=1)[0]
    return shares[281:286].sum().item(), names[shares.argmax()].split(",")[0]


def drift(model):
    """Return one row per layer: how far its running means and standard deviations moved."""
    moved = []
    for name in norms:
        old, new = lite0.get_submodule(name), model.get_submodule(name)
        spread = (old.running_var + old.eps).sqrt()
        means = (new.running_mean - old.running_mean).abs() / spread
        spreads = ((new.running_var + new.eps).sqrt() / spread - 1).abs()
        moved.append((means.mean().item(), spreads.mean().item()))
    return np.array(moved)


def show_batches(model, batches, every):
    """Show the network batches in train mode; return what is measured in between."""
    stream, _ = crops(0, count=60, seed=0)
    order = torch.Generator().manual_seed(0)
    rows = []
    for batch in range(batches + 1):
        if batch % every == 0:
            rows.append((batch, *cats(model), *drift(model).mean(axis=0)))
        model.train()
        with torch.no_grad():
            model.features(stream[torch.randperm(len(stream), generator=order)[:8]])
    return rows


awake = copy.deepcopy(lite0).requires_grad_(False)
held = freeze(copy.deepcopy(lite0))
seen = {"requires_grad": show_batches(awake, 120, 15), "freeze": show_batches(held, 15, 15)}
for name, rows in seen.items():
    print(f"{name}:")
    for batch, probability, first, means, spreads in rows:
        print(f"  {batch:3}: a cat {probability:.2f} ({first}), means {means:.2f}, spreads {spreads:.0%}")

# %%
before, after = lite0.state_dict(), held.state_dict()
same = all(torch.equal(before[name], after[name]) for name in before)
print("frozen: every parameter and statistic is unchanged, bit for bit:", same)
trained = [name for name, _ in lite0.named_parameters()]
same = all(torch.equal(before[name], awake.state_dict()[name]) for name in trained)
print("train mode: every parameter is unchanged, bit for bit:", same)

# %%
# alt: The probability of a cat over the number of batches seen. The curve of requires_grad starts
#   near one and falls to about nothing; the line of freeze stays level at the top.
figure, ax = plt.subplots(figsize=(6.6, 3.8), layout="constrained")
rows = seen["requires_grad"]
ax.plot([row[0] for row in rows], [row[1] for row in rows], color="#b93c0a", marker="s",
        label="requires_grad = False")
ax.plot([0, rows[-1][0]], [cats(held)[0]] * 2, color="#0072b2", linestyle="--", label="freeze")
ax.set(xlabel="batches of eight crops seen", ylabel="probability of a cat", ylim=(0, 1.05))
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %% [markdown]
# Not one parameter has changed, and the cat is gone. The weights of every layer were trained
# for inputs normalised by the old statistics. With others they compute something else. Lite0's
# momentum is a tenth of PyTorch's default. With a `momentum` of 0.1 it goes about ten times as fast:

# %%
fast = copy.deepcopy(lite0).requires_grad_(False)
for name in norms:
    fast.get_submodule(name).momentum = 0.1
for batch, probability, first, *_ in show_batches(fast, 12, 4):
    print(f"{batch:3} batches: a cat {probability:.2f} ({first})")

# %% [markdown]
# ## Where it moves

# %%
# alt: Two bars for each part of the network from the stem to the final convolution: how far the
#   means and the standard deviations have moved. The standard deviations have moved in every
#   part, most in the stem; the means in every part but the last.
by_part = {}
for name, moved in zip(norms, drift(awake), strict=True):
    by_part.setdefault(name.split(".")[1], []).append(moved)
moved = np.array([np.mean(rows, axis=0) for rows in by_part.values()])
figure, ax = plt.subplots(figsize=(6.6, 3.8), layout="constrained")
places = np.arange(len(by_part))
ax.bar(places - 0.2, moved[:, 0], 0.4, color="#0072b2", label="means")
ax.bar(places + 0.2, moved[:, 1], 0.4, color="#ffe9b0", edgecolor="#b93c0a", hatch="///",
       label="standard deviations")
ax.set_xticks(places, [part.replace("block", "") for part in by_part], fontsize=10)
ax.tick_params(axis="x", rotation=60)
ax.set(xlabel="part (numbers are blocks)", ylabel="moved, share of the spread")
ax.grid(alpha=0.3, axis="y")
ax.legend(fontsize=10)
plt.show()
for part, (means, spreads) in zip(by_part, moved, strict=True):
    if part in ("stem", "block5", "block10", "final"):
        print(f"{part:8} means {means:.3f}, standard deviations {spreads:.0%}")

# %% [markdown]
# All parts drift, the deep ones too, because each sees the changed output of the one before it. The means of
# `final` stay, and that is no accident. It is a linear layer right after a batch norm without
# an activation. A batch norm in train mode gives every channel a fixed mean whatever its input is,
# so the linear layer after it has fixed means too. The spreads have no such protection.
#
# ## What it costs
#
# Now train a head for the four photographs, as it is often taught: `requires_grad=False` for the
# base, a new head, and `model.train()` at the start of each epoch. Train the same head with
# `freeze` too. Each seed has its own crops, head and order of batches, and they are the same for
# both ways. The accuracy is measured in eval mode, also on the training crops.
#
# The numbers come from a stored run of `experiments/frozen_batch_norm.py`, which `make labs`
# repeats. The build refuses them if that script, or any code it uses, has changed since.

# %%
import statistics

from experiments.results import read

stored = read("frozen_batch_norm").data
runs = {}
for run in stored["runs"]:
    runs.setdefault((run["batch_size"], run["way"]), []).append(run)
for (batch_size, way), rows in runs.items():
    shown = {part: [100 * row[part] for row in rows] for part in ("train", "test")}
    cells = (
        f"{part} {statistics.mean(values):3.0f} ± {statistics.stdev(values):.0f} %"
        for part, values in shown.items()
    )
    print(f"batches of {batch_size:2}, {way:13}", *cells, sep="  ")
print(f"mean ± standard deviation of {stored['settings']['seeds']} seeds\n")
for batch_size in (4, 16):
    for part in ("train", "test"):
        pairs = zip(runs[batch_size, "freeze"], runs[batch_size, "requires_grad"], strict=True)
        gains = [100 * (held[part] - awake[part]) for held, awake in pairs]
        error = statistics.stdev(gains) / len(gains) ** 0.5
        print(f"batches of {batch_size:2}, {part:5}: freeze is ahead by {statistics.mean(gains):.1f} points,"
              f" standard error {error:.1f}; ahead for {sum(gain > 0 for gain in gains)} of"
              f" {len(gains)} seeds")

# %%
# alt: Accuracy in eval mode, a mark for each seed, for batches of four and of sixteen. With freeze
#   every training crop is classified correctly; with requires_grad many are not. On the test crops
#   most seeds of requires_grad are below those of freeze, and they are more scattered.
figure, axes = plt.subplots(1, 2, figsize=(6.8, 3.8), layout="constrained", sharey=True)
looks = {"freeze": ("#0072b2", "o"), "requires_grad": ("#b93c0a", "s")}
for ax, part in zip(axes, ("train", "test"), strict=True):
    for place, ((_, way), rows) in enumerate(runs.items()):
        colour, marker = looks[way]
        x = np.full(len(rows), place // 2 + (-0.12 if way == "freeze" else 0.12))
        ax.scatter(x, [row[part] for row in rows], color=colour, marker=marker, alpha=0.7,
                   label=way if place < 2 else None)
    ax.axhline(1 / len(photos), color="0.5", linestyle=":")
    ax.set(title=f"{part}ing crops" if part == "train" else "test crops", xlim=(-0.5, 1.5),
           ylim=(0, 1.05), xlabel="batch size")
    ax.set_xticks([0, 1], ["4", "16"])
    ax.grid(alpha=0.3, axis="y")
axes[0].set_ylabel("accuracy, eval mode")
axes[1].legend(fontsize=10, loc="lower right")
plt.show()

# %% [markdown]
# The dotted line is guessing. The clearest sign is the *training* accuracy. In train mode the head
# learned from features normalised by each small batch. In eval mode it gets features normalised
# by running statistics that are somewhere between ImageNet's and those of the crops. It has never
# seen such features, so it fails even on crops it was trained on, for every seed.
#
# On the test crops `freeze` is ahead on average, but not for every seed: statistics that belong to
# the new pictures can be an advantage, once they have arrived there. That is a method of its own
# (adaptive batch normalization). Choose it and measure it; do not let it happen by accident. These
# are crops of four photographs: they show the mistake, and do not measure what it costs elsewhere.
#
# ## Try
#
# - Call `train_head` of `experiments/frozen_batch_norm.py` with three times as many epochs. Do the
#   two ways come closer?
# - Set the `momentum` of every batch norm to PyTorch's default before training. What happens to
#   the test accuracy?
# - Show the network crops *in* color. How many batches does it take now to lose the cat?
# - After training with `requires_grad`, show the network a hundred batches in train mode, with the
#   head held. Does the training accuracy in eval mode come back?
#
# Sources: S. Ioffe and C. Szegedy, *Batch normalization*, arXiv:1502.03167; Y. Li and others,
# *Revisiting batch normalization for practical domain adaptation*, arXiv:1603.04779. The page on
# [freezing](../topics/freezing.md) has the rule and the code.
