# ---
# jupyter:
#   cnnref:
#     given:
#       - "million other"
#       - "ten times the"
#       - "thousand classes"
#       - "million photographs"
#       - "hundred the"
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
# # A few photographs of each class
#
# You have a few dozen photographs and want a network that tells what is on them. Train one of your
# own, or take one that has already learned to see a million other photographs
# ([transfer learning](../topics/transfer_learning.md))? And if you take one: leave it
# [frozen](../topics/freezing.md), or [fine-tune](../topics/fine_tuning.md) it, and how much of it?
# Here each way is tried on the same random splits; then on pictures of another kind, where the
# answer is another.
#
# The training takes minutes, so the numbers come from a stored run of `experiments/small_data.py`,
# which `make labs` repeats. The build refuses them if that script, or any code it uses, has
# changed since.

# %%
import base64
import inspect
import io
import statistics
import textwrap

import matplotlib.pyplot as plt
from PIL import Image

from experiments import small_data
from experiments.results import read

plt.rcParams.update({"font.size": 12, "figure.dpi": 90})
stored = read("small_data")
settings = stored.data["settings"]
for name, value in {**settings, **stored.provenance}.items():
    print(f"{name:12} {value}")

# %% [markdown]
# ## The photographs
#
# They come with GCompris, a collection of games for children. All of them are in the public domain
# or CC0; their makers are named at the end of the page. A few of each class, small:

# %%
# alt: Four rows of six small photographs. Animals, from a bison to a crocodile, outdoors. Fish, one
#   or many, in the water. Monuments: gates, towers and a church, most under a blue sky. Tools close
#   up, pliers and hammers, half of them on a white ground.
sheet = stored.data["sheet"]
figure, ax = plt.subplots(figsize=(6.8, 4.4), layout="constrained")
ax.imshow(Image.open(io.BytesIO(base64.b64decode(sheet["webp"]))))
side = ax.get_images()[0].get_array().shape[0] / len(settings["classes"])
ax.set_yticks([side * (row + 0.5) for row in range(len(settings["classes"]))], settings["classes"])
ax.set_xticks([])
ax.spines[:].set_visible(False)
ax.tick_params(length=0)
plt.show()

# %% [markdown]
# ## The ways
#
# - **colors** knows the mean red, green and blue of a photograph and nothing else. It is there to
#   show how much can be had for nothing: monuments stand under blue skies.
# - **scratch** is a small network of our own, trained from random weights, with augmentation. It
#   sees smaller copies.
# - **frozen** is a linear head on what EfficientNet-Lite0, trained on ImageNet, makes of the
#   photograph.
# - **top** starts from that head, then trains the last blocks of Lite0 with it, gently.
# - **all** does the same with all of Lite0. Batch norm statistics stay held in both.
# - **fast** does it with ten times the learning rate.
#
# Only scratch has augmentation, so nothing that the others gain comes from there. The photographs
# of a split's test set are used once, at its end. The settings were chosen on other random splits
# of the same photographs. This is one split, for all the ways:

# %%
print(inspect.getsource(small_data.on_photographs))

# %% [markdown]
# ## What they reach
#
# Each number is a mean over the splits, ± the standard deviation between them.


# %%
def accuracies(rows, count, way):
    """Return the accuracies of one way, in the order of the splits."""
    return [row["accuracy"] for row in rows if (row["count"], row["way"]) == (count, way)]


def spread(values):
    """Return mean ± standard deviation as text."""
    return f"{statistics.mean(values):7.1%} ± {statistics.stdev(values):5.1%}"


def table(rows):
    """Print the accuracy of each way for each number of examples a class."""
    counts = sorted({row["count"] for row in rows})
    print(f"{'examples a class':16}", *(f"{count:>15}" for count in counts))
    for way in dict.fromkeys(row["way"] for row in rows):
        cells = [accuracies(rows, count, way) for count in counts]
        print(f"{way:16}", *(spread(cell) if cell else f"{'':>15}" for cell in cells))


photographs = stored.data["photographs"]
table(photographs)
classes = len(settings["classes"])
exam = classes * settings["test"]
print(f"\nguessing: {1 / classes:.0%}. One photograph of the {exam} tested is {1 / exam:.1%}.")

# %%
# alt: Accuracy on the test photographs over the number of photographs a class to learn from. Three
#   lines, frozen, top and all, rise close together at the top. Scratch and colors lie far below
#   them, close to each other at the left, scratch a little higher at the right.
styles = {
    "colors": dict(color="#777777", marker="x", linestyle=":"),
    "scratch": dict(color="#b93c0a", marker="s"),
    "frozen": dict(color="#0072b2", marker="o"),
    "top": dict(color="#008060", marker="^", linestyle="--"),
    "all": dict(color="#8a4fae", marker="D", linestyle="-."),
}


def draw(rows, ways):
    """Draw the accuracy of some ways over the number of examples: means, and the splits' spread."""
    figure, ax = plt.subplots(figsize=(6.6, 4.2), layout="constrained")
    counts = sorted({row["count"] for row in rows})
    for place, way in enumerate(ways):
        cells = [accuracies(rows, count, way) for count in counts]
        ax.errorbar(
            [count * 1.03 ** (place - len(ways) / 2) for count in counts],  # beside each other
            [100 * statistics.mean(cell) for cell in cells],
            [100 * statistics.stdev(cell) for cell in cells],
            label=way, capsize=3, **styles[way],
        )  # fmt: skip
    ax.set_xscale("log")
    ax.set_xticks(counts, counts)
    ax.minorticks_off()
    ax.set(xlabel="examples a class to learn from", ylabel="test accuracy in %")
    ax.grid(alpha=0.3)
    figure.legend(fontsize=10, ncols=len(ways), loc="outside upper center")
    plt.show()


draw(photographs, list(styles))

# %% [markdown]
# On frozen features a few photographs go a long way: with two of each class they serve better than
# scratch is served by ten. Scratch does not do much better than the mean color, for all its
# augmentation: so few photographs do not teach a network to see. Frozen, top and all lie within
# each other's spread.
#
# That the features fit so well is no wonder. Lite0's thousand classes include hammers and
# screwdrivers, goldfish, koalas and a palace: what it learned is close to what we ask.
#
# ## Split by split
#
# The splits differ: some test sets are easier than others. All ways had the same ones, so their
# differences say more than the table.


# %%
def compare(rows, first, second, count):
    """Print by how much one way beats another on the same splits."""
    pairs = zip(accuracies(rows, count, first), accuracies(rows, count, second), strict=True)
    gains = [100 * (a - b) for a, b in pairs]
    error = statistics.stdev(gains) / len(gains) ** 0.5
    better, worse = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
    print(
        f"{first:>11} − {second:9} {statistics.mean(gains):+6.1f} points, standard error"
        f" {error:.1f}; better on {better}, worse on {worse} of {len(gains)}"
    )


for count in sorted({row["count"] for row in photographs}):
    print(f"{count} photographs a class")
    pairs = [("frozen", "scratch"), ("top", "frozen"), ("all", "frozen"), ("top", "all")]
    if accuracies(photographs, count, "all, fast"):
        pairs += [("top, fast", "top"), ("all, fast", "all"), ("top, fast", "all, fast")]
    for first, second in pairs:
        compare(photographs, first, second, count)

# %% [markdown]
# Frozen beats scratch on every split. What fine-tuning adds to that is small. For the top it comes
# out above zero each time, and clearly so only with the fewest photographs; otherwise the gain is
# no larger than its own standard error, and one cannot tell. Fine-tuning everything, gently, adds
# nothing that could be told from chance; with the smaller training sets it stays a little behind
# the top alone.
#
# What stands out is the end of the list. With ten times the learning rate the top loses a little,
# and the whole network loses nearly all that transfer had brought: it falls back to where scratch
# is. So this is what speaks for the top and a low rate: less that they gain much here than that
# they risk little.
#
# ## Where the pictures are of another kind
#
# Lite0 learned from color photographs of things. What does it know about the grain of a brick, or
# about grey pictures of clothes as small as a thumbnail? Two contests, frozen features against
# scratch. The textures are patches of three photographs in scikit-image
# ([`skimage.data`](https://scikit-image.org/docs/stable/api/skimage.data.html), CC0 from
# CC0Textures and others): patches to learn from are cut from one side, patches to be tested on from
# the other. The clothes are [Fashion-MNIST](https://github.com/zalandoresearch/fashion-mnist) by
# Zalando SE (MIT licence), enlarged for Lite0.

# %%
for name in ("textures", "clothes"):
    print(name)
    table(stored.data[name])
    for count in sorted({row["count"] for row in stored.data[name]}):
        print(f"{count} a class")
        compare(stored.data[name], "scratch", "frozen", count)
    print()

# %%
# alt: Two rising lines that cross. With the fewest examples frozen is the higher one, and a little
#   so in the middle; at the right, with the most examples, scratch lies above it.
draw(stored.data["clothes"], ["scratch", "frozen"])

# %% [markdown]
# One patch of each texture is enough for either way: this task is too easy to tell them apart, and
# nobody needs a million photographs to tell bricks from grass. On the clothes the lines cross. With
# two examples of each class frozen features are ahead on most splits; with ten on all of them, by
# less; with a hundred the small network of our own has overtaken them, on every split. It is many
# times smaller than Lite0, and was made for these pictures.
#
# ## What to take from it
#
# With few photographs of everyday things, take a network that has seen many, and train a head on
# its frozen features: it is the quickest way, and nearly the best. Fine-tune its top, gently, if
# you can measure whether it helps. The further your pictures are from what it has seen, and the
# more of them you have, the more a network of your own is worth: measure that too.
#
# ## Try
#
# - Give `experiments.data.image_folder` a folder of your own, one folder in it for each class, and
#   hand its result to `on_photographs`.
# - Let the frozen way have augmentation too: features of mirrored photographs are further examples.
# - Give scratch more steps, or more channels. How far does it get?
#
# ## Who took the photographs

# %%
makers = {}
for file, credit in stored.data["credits"].items():
    makers.setdefault((credit["author"], credit["licence"]), []).append(file.rsplit(".", 1)[0])
lines = [f"{author} ({licence}): {', '.join(files)}" for (author, licence), files in makers.items()]
print(textwrap.fill("; ".join(sorted(lines)) + ".", 88))
