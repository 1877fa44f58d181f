# ---
# jupyter:
#   cnnref:
#     given:
#       - "million other"
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
# You have a few dozen photographs and want a network that classifies them. Train your own, or take
# one that has already seen a million other photographs
# ([transfer learning](../topics/transfer_learning.md))? And if you take one, leave it
# [frozen](../topics/freezing.md) or [fine-tune](../topics/fine_tuning.md) it?
#
# On photographs a head on frozen features is clearly ahead of a network from scratch, and
# fine-tuning adds little that can be told from chance. On small gray pictures of clothes,
# which are unlike what the base has seen, a small network from scratch is ahead of all of them.
#
# The training takes minutes, so the numbers come from a stored run of `experiments/small_data.py`,
# which `make labs` repeats. The build refuses them if that script or any code it uses has
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
    print(f"{name:20} {value}")

# %% [markdown]
# ## The photographs
#
# They come with GCompris, a collection of games for children. All of them are in the public domain
# or CC0. Their authors are named at the end of the page. Here are a few of each class:

# %%
# alt: Four rows of six small photographs. Animals, from a bison to a crocodile, outdoors. Fish, one
#   or many, in the water. Monuments: gates, towers and a church, most under a blue sky. Close-ups
#   of tools, pliers and hammers, half of them on a white background.
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
# - **colors** chooses the class whose mean color is nearest. It shows what is possible
#   without any network: many monuments are under blue skies.
# - **scratch** is a small network of our own, trained from random weights.
# - **frozen** is a linear head on the frozen features of EfficientNet-Lite0, which was trained on
#   ImageNet.
# - **top** and **all** fine-tune the last parts of Lite0, or all of it, from a **random head** or
#   from the **trained head** of the first phase. Batch norm statistics stay fixed.
#
# All networks have the same augmentation: flips, shifts and color jitter. Learning rates were
# chosen on images that never test, a few of each class that are the same in every split. The
# rate chosen for *scratch* is the lowest of the three that were tried, so a lower one might be
# better still.
# With the largest number of photographs, the accuracies of Lite0 are those of the
# [experiment on fine-tuning](../topics/fine_tuning.md#measured-on-a-real-network). This is how
# Lite0 is used on one split:

# %%
print(inspect.getsource(small_data.tuned))

# %% [markdown]
# ## What they reach
#
# Each number is the mean over the splits ± their standard deviation.


# %%
def accuracies(rows, count, way):
    """Return the accuracies of one way, in the order of the splits."""
    chosen = [row for row in rows if (row["count"], row["way"]) == (count, way)]
    return [row["accuracy"] for row in sorted(chosen, key=lambda row: row["seed"])]


def spread(values):
    """Return mean ± standard deviation as text."""
    return f"{statistics.mean(values):7.1%} ± {statistics.stdev(values):5.1%}"


def ways_of(rows):
    """Return the ways, the simplest first."""
    order = ["colors", "scratch", "frozen"]
    order += [f"{depth}, {head} head" for depth in ("top", "all") for head in ("random", "trained")]
    found = {row["way"] for row in rows}
    return [way for way in order if way in found]


def table(rows):
    """Print the accuracy of each way for each number of images per class."""
    counts = sorted({row["count"] for row in rows})
    print(f"{'images per class':18}", *(f"{count:>15}" for count in counts))
    for way in ways_of(rows):
        print(f"{way:18}", *(spread(accuracies(rows, count, way)) for count in counts))


photographs = stored.data["photographs"]
table(photographs)
classes = len(settings["classes"])
exam = classes * settings["test"]
print(f"\nguessing: {1 / classes:.0%}. One photograph of the {exam} in a test is {1 / exam:.1%}.")

# %%
# alt: Accuracy on the test photographs over the number of photographs per class to learn from.
#   Frozen, top and all are close together at the top and rise. Scratch is well below them, colors
#   lowest.
styles = {
    "colors": dict(color="#777777", marker="x", linestyle=":"),
    "scratch": dict(color="#b93c0a", marker="s"),
    "frozen": dict(color="#0072b2", marker="o"),
    "top, trained head": dict(color="#008060", marker="^", linestyle="--"),
    "all, trained head": dict(color="#8a4fae", marker="D", linestyle="-."),
}


def draw(rows, ways):
    """Draw the accuracy of some ways over the number of images: means, and the splits' spread."""
    figure, ax = plt.subplots(figsize=(6.6, 4.4), layout="constrained")
    counts = sorted({row["count"] for row in rows})
    for place, way in enumerate(ways):
        cells = [accuracies(rows, count, way) for count in counts]
        ax.errorbar(
            [count * 1.03 ** (place - len(ways) / 2) for count in counts],  # next to each other
            [100 * statistics.mean(cell) for cell in cells],
            [100 * statistics.stdev(cell) for cell in cells],
            label=way, capsize=3, **styles[way],
        )  # fmt: skip
    ax.set_xscale("log")
    ax.set_xticks(counts, counts)
    ax.minorticks_off()
    ax.set(xlabel="images per class to learn from", ylabel="test accuracy in %")
    ax.grid(alpha=0.3)
    figure.legend(fontsize=10, ncols=3, loc="outside upper center")
    plt.show()


draw(photographs, list(styles))

# %% [markdown]
# Frozen features go a long way. With two photographs of each class they are about as good as
# *scratch* is with ten. That they fit so well is no surprise: Lite0's classes include hammers and
# screwdrivers, goldfish, koalas and a palace. *Scratch* is clearly ahead of the mean color only
# with the most photographs.
#
# ## Split by split
#
# Some test sets are easier than others. All ways had the same ones, so their differences say
# more than the table.


# %%
def compare(rows, first, second, count):
    """Print by how much one way beats another on the same splits."""
    pairs = zip(accuracies(rows, count, first), accuracies(rows, count, second), strict=True)
    gains = [100 * (a - b) for a, b in pairs]
    error = statistics.stdev(gains) / len(gains) ** 0.5
    better, worse = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
    print(
        f"  {first:>17} − {second:17} {statistics.mean(gains):+6.1f} points, standard error"
        f" {error:.1f}; better on {better}, worse on {worse} of {len(gains)}"
    )


def compare_all(rows):
    """Print how far each way is ahead of the frozen features, and what the head's training adds."""
    for count in sorted({row["count"] for row in rows}):
        print(f"{count} images per class")
        for way in ways_of(rows):
            if way != "frozen":
                compare(rows, way, "frozen", count)
        for depth in ("top", "all"):
            compare(rows, f"{depth}, trained head", f"{depth}, random head", count)


compare_all(photographs)

# %% [markdown]
# Frozen beats *scratch* by two standard errors or more with each number of photographs. What
# fine-tuning adds is small: no difference from *frozen* is as large as three of its standard
# errors, and among so many comparisons one or two of that size are expected. Training the head
# first does not help reliably. With the most photographs and all layers, the random head is even
# better, on every split. The risk is elsewhere: at the head's rate [fine-tuning
# everything](../topics/fine_tuning.md#measured-on-a-real-network) ends at guessing.
#
# ## Where the pictures are different
#
# Lite0 learned from color photographs of things. What does it know about gray pictures of clothes
# as small as a thumbnail? They are [Fashion-MNIST](https://github.com/zalandoresearch/fashion-mnist)
# by Zalando SE (MIT license), enlarged for Lite0. The ways are the same. The numbers of
# steps are not: with the most pictures *scratch* takes many epochs, fine-tuning a single one.

# %%
clothes = stored.data["clothes"]
table(clothes)
print()
compare_all(clothes)

# %%
# alt: Accuracy on the test pictures of clothes over the number of pictures per class. All lines
#   rise. Scratch is the highest at both ends.
draw(clothes, [way for way in styles if way != "colors"])

# %% [markdown]
# Here the small network from scratch has the highest mean, with few pictures and with many. It is
# many times smaller, sees the pictures at their own size, and was made for them. With few pictures,
# fine-tuning improves on the frozen features in most of the four ways, as one would expect where
# they fit less well. With many it does not, but it took few steps there.
#
# ## What to take from it
#
# With few photographs of everyday things, take a pre-trained network and train a head on
# its frozen features. It is the quickest way and nearly the best. Fine-tune at a low rate if you
# can measure whether it helps. The more your pictures differ from what the base has seen, the more
# a network of your own is worth trying. These are small images, one base and two data sets, so
# measure on yours.
#
# ## Try
#
# - Give `experiments.data.image_folder` a folder of your own with one folder in it for each class,
#   and pass its images and labels to `on_photographs`.
# - Leave out the augmentation in all ways. Which one loses most?
# - Give fine-tuning on clothes as many epochs as *scratch*. Does it catch up?
#
# ## Who took the photographs

# %%
makers = {}
for file, credit in stored.data["credits"].items():
    makers.setdefault((credit["author"], credit["licence"]), []).append(file.rsplit(".", 1)[0])
lines = [f"{author} ({licence}): {', '.join(files)}" for (author, licence), files in makers.items()]
print(textwrap.fill("; ".join(sorted(lines)) + ".", 88))
