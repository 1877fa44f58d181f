# ---
# jupyter:
#   cnnref:
#     given: []
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
# # What augmentation is worth
#
# The page on [data augmentation](../topics/augmentation.md) explains the operations. Here we
# measure what they gain for a small network that has only a few images to learn from. Shifts help a
# lot where objects can be anywhere, and hurt where they never move. On photographs, augmentation
# gains nothing and can raise the test loss. Then we make the mistake that makes every result look
# good.
#
# The training takes minutes, so its numbers come from a stored run of
# `experiments/augmentation.py`, which `make labs` repeats. The build refuses them if that script or
# any code it uses has changed since. The draws and the last experiment on this page run at each
# build.

# %%
import inspect
import statistics

import matplotlib.pyplot as plt
import torch
from skimage import data

from experiments.augmentation import RECIPES, moved_and_colored, tested, train_net
from experiments.results import read

plt.rcParams.update({"font.size": 12, "figure.dpi": 90})
stored = read("augmentation")
settings = stored.data["settings"]
for name, value in {**settings, **stored.provenance}.items():
    print(f"{name:14} {value}")

# %% [markdown]
# ## The recipes
#
# A recipe is a function of a batch of images and a generator. This is one of them:

# %%
print(inspect.getsource(RECIPES["moved"]))

# %% [markdown]
# *Everything* also changes colors and hides a square. Here are eight draws of each, from a photograph
# that comes with scikit-image ([`chelsea`](https://scikit-image.org/docs/stable/api/skimage.data.html), by Stefan
# van der Walt, CC0):

# %%
# alt: Two rows of eight small pictures of a cat's face. In the first row it is mirrored, rotated a
#   little, shifted, and nearer or farther away. In the second row its colors differ too, and a gray
#   square hides a different part of each.
photo = torch.from_numpy(data.chelsea()[:, 100:400] / 255).float().permute(2, 0, 1)[None]
cat = torch.nn.functional.interpolate(photo, (48, 48), mode="bilinear", antialias=True).clamp(0, 1)
recipes = {name: recipe for name, recipe in RECIPES.items() if recipe is not None}
figure, axes = plt.subplots(len(recipes), 8, figsize=(6.8, 2.2), layout="constrained")
for row, (name, recipe) in zip(axes, recipes.items(), strict=True):
    draws = recipe(cat.repeat(8, 1, 1, 1), torch.Generator().manual_seed(0))
    for ax, draw in zip(row, draws, strict=True):
        ax.imshow(draw.permute(1, 2, 0))
        ax.set_axis_off()
    row[0].set_title(name, loc="left", fontsize=11)
plt.show()

# %% [markdown]
# ## Photographs
#
# Animals, fish, monuments and tools: photographs from GCompris, a collection of games for children
# (the [lab on small data](small_data.py) names licenses and authors). Each seed is another split,
# the *same* one for all recipes, and each network takes the same number of steps. The test images
# are not changed.


# %%
def spread(rows, key):
    """Return mean and standard deviation over the seeds."""
    values = [row[key] for row in rows]
    return statistics.mean(values), statistics.stdev(values)


def by_recipe(rows):
    """Return the rows of each recipe, in the order of the seeds."""
    found = {}
    for row in rows:
        found.setdefault(row["recipe"], []).append(row)
    return found


def show_table(rows):
    """Print accuracy and loss of each recipe, mean ± standard deviation over seeds."""
    print(f"{'recipe':16} {'training':>13} {'test':>13} {'loss on test':>15}")
    for name, of_recipe in by_recipe(rows).items():
        cells = [spread(of_recipe, key) for key in ("train_accuracy", "test_accuracy", "test_loss")]
        train, test = (f"{mean:6.1%} ± {sd:4.1%}" for mean, sd in cells[:2])
        print(f"{name:16} {train} {test} {cells[2][0]:8.2f} ± {cells[2][1]:4.2f}")


def show_differences(rows, key="test_accuracy"):
    """Print what each recipe changes, split by split: mean, its standard error, and seeds won."""
    groups = by_recipe(rows)
    for name, of_recipe in groups.items():
        if name == "none":
            continue
        change = [a[key] - b[key] for a, b in zip(of_recipe, groups["none"], strict=True)]
        error = statistics.stdev(change) / len(change) ** 0.5
        better = sum(one > 0 for one in change)
        print(
            f"{name:12} {round(100 * statistics.mean(change), 1) + 0.0:+5.1f} points, "
            f"standard error {100 * error:.1f}, better on {better} of {len(change)} splits"
        )


show_table(stored.data["recipes"])
print()
show_differences(stored.data["recipes"])
groups = by_recipe(stored.data["recipes"])
for name in ("moved", "everything"):
    pairs = zip(groups[name], groups["none"], strict=True)
    rises = [a["test_loss"] - b["test_loss"] for a, b in pairs]
    error = statistics.stdev(rises) / len(rises) ** 0.5
    print(
        f"{name:12} {statistics.mean(rises):+5.2f} test loss, standard error {error:.2f}, "
        f"higher on {sum(rise > 0 for rise in rises)} of {len(rises)} splits"
    )

# %%
# alt: Two panels with one dot for each split and a bar for the mean of each recipe. Above, accuracy
#   on the training images and on the test images; below, the loss on the test images.
groups = by_recipe(stored.data["recipes"])
figure, axes = plt.subplots(2, 1, figsize=(6.6, 5.6), layout="constrained", sharex=True)
styles = {"train_accuracy": ("s", "#585f6d", "training"), "test_accuracy": ("o", "#0072b2", "test")}
for place, of_recipe in enumerate(groups.values()):
    for side, (key, (marker, color, label)) in zip((-0.12, 0.12), styles.items(), strict=True):
        values, x = [100 * row[key] for row in of_recipe], place + side
        axes[0].scatter([x] * len(values), values, 28, color, alpha=0.5, marker=marker, label=label)
        axes[0].hlines(statistics.mean(values), x - 0.1, x + 0.1, color, lw=3)
    if place == 0:
        axes[0].legend(loc="lower center", fontsize=11, ncols=2)
    losses = [row["test_loss"] for row in of_recipe]
    axes[1].scatter([place] * len(losses), losses, 28, "#0072b2", alpha=0.5)
    axes[1].hlines(statistics.mean(losses), place - 0.1, place + 0.1, "#0072b2", lw=3)
axes[0].set(ylabel="accuracy, %", ylim=(40, 104))
axes[1].set(ylabel="loss on test", ylim=(0, None))
axes[1].set_xticks(range(len(groups)), groups)
for ax in axes:
    ax.grid(axis="y", alpha=0.3)
plt.show()

# %% [markdown]
# Neither recipe raises the accuracy on new photographs. The changes in accuracy are within about two
# standard errors, so they can be chance: a test has few photographs, and each is worth more than a
# point. *Moved* raises the test loss on nearly every split, by several standard errors. Although no
# copy comes twice, the network still fits nearly every training photograph, so augmentation does not
# prevent memorization here.
#
# We have two guesses why, and have tested neither. This network averages its last maps over all
# places, so an object that has moved is nothing new to it. And colors and textures reveal much,
# which the recipes hardly change. In the next data set the place matters.
#
# ## Clothes
#
# Fashion-MNIST has gray pictures of clothes. We train on a few of each kind and test on many, on a
# black canvas: once in its *middle*, once *anywhere*, in training and test alike. The
# network's last layer has a weight for each place of the map, so it has to learn that a shoe is a
# shoe wherever it is. The recipe shifts each picture as far as clothes can be from the middle.

# %%
for where in ("middle", "anywhere"):
    rows = [row for row in stored.data["clothes"] if row["where"] == where]
    print(where)
    show_table(rows)
    show_differences(rows)
    print()

# %% [markdown]
# Where clothes can be anywhere, the shifts help a great deal: the few training pictures show each
# garment in one place, the shifted copies in many, and the test has all of them. Where
# clothes are always in the middle, the same shifts cost accuracy: the network prepares for places
# that never occur.
#
# In both cases the accuracy on the training pictures falls, so the network overfits less. That
# alone does not make the test better. The copies must look like what the network will meet.
#
# ## Tested on changed images
#
# These are the same networks, but the test images go through the recipe too. That is a mistake: it
# measures how well the network does on images that it will never meet.

# %%
for images, rows in (("photographs", stored.data["recipes"]), ("clothes", stored.data["clothes"])):
    for name, of_recipe in by_recipe(rows).items():
        if name != "none":
            keys = ("test_accuracy", "changed_test_accuracy")
            plain, changed = (spread(of_recipe, key)[0] for key in keys)
            print(f"{images:12} {name:11} plain {plain:.1%}, changed {changed:.1%}")

# %% [markdown]
# On clothes the changed test is the harder one: a shift can push part of a garment out of the
# picture. On photographs the difference is small here. Neither number is the one to report.

# %% [markdown]
# ## The leak
#
# Now the worst mistake: make the copies first, then split. Copies of one photograph end up on both
# sides. Each network below reports its score on its test part. Then it classifies photographs that
# were set aside from the start. The *reported* score should be the one on *new* photographs.


# %%
def show_leaks(rows):
    """Print what each order of work reports, and what is true."""
    for order in ("copies, then split", "split, then copies"):
        of_order = [row for row in rows if row["order"] == order]
        (reported, r), (new, n) = spread(of_order, "reported"), spread(of_order, "new")
        print(f"  {order}: reported {reported:6.1%} ± {r:5.1%}, new {new:6.1%} ± {n:5.1%}")


for shuffled, title in ((False, "true labels"), (True, "labels shuffled")):
    print(title)
    show_leaks([row for row in stored.data["leaks"] if row["shuffled"] == shuffled])

# %%
# alt: Four pairs of bars with a dot for each seed. When the copies come before the split the reported
#   score is far above the score on new photographs, also where the labels were shuffled and new
#   photographs are recognised no better than by guessing. When the split comes first the two bars
#   are alike.
figure, axes = plt.subplots(1, 2, figsize=(6.8, 3.6), layout="constrained", sharey=True)
for ax, shuffled in zip(axes, (False, True), strict=True):
    for place, order in enumerate(("copies, then split", "split, then copies")):
        rows = [
            row
            for row in stored.data["leaks"]
            if row["order"] == order and row["shuffled"] == shuffled
        ]
        for side, key, color, mark in (
            (-0.18, "reported", "#b93c0a", ""),
            (0.18, "new", "#0072b2", "//"),
        ):
            values, x = [100 * row[key] for row in rows], place + side
            label = key if place == 0 else None
            ax.bar(x, statistics.mean(values), 0.32, color=color, alpha=0.55, hatch=mark, label=label)
            ax.scatter([x] * len(values), values, 14, "black", zorder=3)
    ax.axhline(100 / settings["classes"], color="black", linestyle=":", lw=1)
    ax.set_xticks([0, 1], ["copies,\nthen split", "split,\nthen copies"])
    ax.set_title("labels shuffled" if shuffled else "true labels", fontsize=12)
axes[0].set(ylabel="accuracy, %", ylim=(0, 105))
axes[1].legend(fontsize=11)
plt.show()

# %% [markdown]
# With true labels, copies made before the split report far more than new photographs confirm.
# With shuffled labels there is nothing to learn, and new photographs are classified no better than
# by guessing (dotted line). The report still says that most are right: the network has memorized the
# photographs, and the test asks for copies of them.
#
# With the split first, the reported score and the true one agree, apart from the wide spread of a test
# on so few photographs.
#
# ## The leak, live
#
# You need no photographs to see it. These are pictures of smooth noise whose labels are coin tosses.
# The network of the experiment trains in a few seconds.

# %%
generator = torch.Generator().manual_seed(0)
noise = torch.rand(60, 3, 4, 4, generator=generator)
noise = torch.nn.functional.interpolate(noise, (24, 24), mode="bilinear")
coin = torch.randint(2, (60,), generator=generator)

copies, labels = moved_and_colored(noise.repeat(6, 1, 1, 1), generator), coin.repeat(6)
order = torch.randperm(len(copies), generator=generator)
test, train = order[:90], order[90:]
net = train_net((copies[train], labels[train]), 2, None, seed=0)
reported = tested(net, copies[test], labels[test])[0]

fresh = torch.nn.functional.interpolate(
    torch.rand(500, 3, 4, 4, generator=generator), (24, 24), mode="bilinear"
)
coins = torch.randint(2, (500,), generator=generator)
print(f"reported: {reported:.0%}, on new noise: {tested(net, fresh, coins)[0]:.0%}")

# %% [markdown]
# ## Try
#
# - Run `python -m experiments.augmentation` with other recipes: flips alone, or `mixup`. Does more
#   always help?
# - Give every class more photographs to learn from. What happens to the difference?
# - Rotate by up to half a turn. Which class suffers?
# - Use your own photographs: `experiments.data.image_folder` loads a folder of class folders.
