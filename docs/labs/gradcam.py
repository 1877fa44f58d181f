# ---
# jupyter:
#   cnnref:
#     given:
#       - "(with n − 1)"
#       - "thousand classes"
#       - "two hundred exceeds"
#       - "a quarter of"
#       - "arXiv:1810.03292"
#       - "arXiv:1806.07421"
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
# # Where a network looks
#
# The page on [Grad-CAM](../topics/gradcam.md) derives the map. Here it is put to use: two classes
# in one photograph, a wrong answer with a sensible map, the same map from early and late layers,
# the whole family side by side, and tests of whether to believe a map.
#
# The photographs come inside scikit-image, which lists
# [their licences](https://scikit-image.org/docs/stable/api/skimage.data.html): the photographer by
# Lav Varshney and the coffee cup by Rachel Michetti are CC0; the astronaut is by NASA. The weights
# come by pip. Nothing is downloaded.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from skimage import data

from cnnref.nn import faithfulness
from cnnref.nn.gradcam import (
    GradCAM,
    GradCAMPlusPlus,
    GuidedInputXGradient,
    HiResCAM,
    InputXGradient,
    LayerCAM,
)
from cnnref.nn.pretrained import class_names, efficientnet_lite0, squeezenet, top_classes
from experiments.results import read

plt.rcParams.update({"font.size": 11, "figure.dpi": 90, "image.interpolation": "nearest"})
names = [name.split(",")[0] for name in class_names()]
lite0, squeeze = efficientnet_lite0(), squeezenet()


def show(model, photograph, maps, columns=3, common=False, high=None):
    """Show a photograph and maps over it, with a colour bar; on a common scale or each its own."""
    square = model.crop(photograph)[0].permute(1, 2, 0) / 255
    rows = -(-(len(maps) + 1) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(6.8, 2.7 * rows), layout="constrained")
    for ax in axes.flat:
        ax.set_axis_off()
    axes.flat[0].imshow(square)
    axes.flat[0].set_title("photograph")
    largest = max(float(one.max()) for one in maps.values())
    for ax, (name, one) in zip(axes.flat[1:], maps.items(), strict=False):
        ax.imshow(square.mean(dim=2), cmap="gray", vmin=0, vmax=1)
        image = ax.imshow(one, cmap="viridis", alpha=0.6, vmin=0, vmax=largest if common else None)
        ax.set_title(name)
        if not common:
            figure.colorbar(image, ax=ax, orientation="horizontal", shrink=0.8)
    if common:
        figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.6, aspect=40)
    plt.show()


# %% [markdown]
# ## Two classes in one photograph
#
# Nothing but the class is changed from one map to the other.

# %%
photographer = np.stack([data.camera()] * 3, axis=-1)
cam = GradCAM(lite0, "features.final")


def maps_of(cam, photograph, wanted):
    x = cam.model.preprocess(photograph)
    return {name: cam(x, names.index(name))[0] for name in wanted}


maps = maps_of(cam, photographer, ["tripod", "reflex camera"])
for name, probability in top_classes(lite0, photographer, 5)[0]:
    print(f"{name:14} {probability:.3f}")

# %%
# alt: A photographer bent over a camera on a tripod. The map for tripod is brightest on the legs
#   of the tripod; the map for reflex camera is faint, and strongest around his chin, hands and the camera.
show(lite0, photographer, maps, common=True)

# %%
for name, one in maps.items():
    row, column = divmod(int(one.argmax()), one.shape[1])
    print(f"{name:14} largest {float(one.max()):.2f}, at row {row}, column {column} of {len(one)}")

# %% [markdown]
# *Reflex camera* is not what the network answers. Its map is weaker, and has moved up from the legs
# of the tripod to face, hands and camera: the evidence for every class is there to be asked for. Its
# largest cell lies beside the camera; with cells this large the place is no finer than that.
#
# ## A wrong answer with a sensible map
#
# There is no astronaut among ImageNet's thousand classes. What does the network make of one?

# %%
astronaut = data.astronaut()
for name, probability in top_classes(lite0, astronaut, 4)[0]:
    print(f"{name:16} {probability:.2f}")
maps = maps_of(cam, astronaut, ["football helmet", "space shuttle"])

# %%
# alt: An astronaut in an orange suit, her helmet before her, a model of a space shuttle behind her.
#   The map for football helmet is bright on the helmet in the lower right corner. The map for space
#   shuttle is bright on the model in the upper right corner.
show(lite0, astronaut, maps)

# %% [markdown]
# The first answers are wrong, and those on top hardly differ. *Football helmet* is among them, and
# its map shows why that is not foolish: it lies on the space helmet. The shuttle is found too,
# though it is not among the first answers. So a map on the right place is no sign that the answer is right. It says where the evidence lies that the network took
# for the class.
#
# ## Early and late layers
#
# The same question asked of three layers of SqueezeNet. Grad-CAM gives each channel one weight for
# the whole map. LayerCAM gives each cell its own, if it is positive.

# %%
x = squeeze.preprocess(data.coffee())
espresso = names.index("espresso")
layers = ["features.fire3", "features.fire5", "features.fire9"]
maps = {}
for method in (GradCAM, LayerCAM):
    for layer, one in zip(layers, method(squeeze, layers)(x, espresso)[0], strict=True):
        maps[f"{method.__name__}, {layer.split('.')[1]}"] = one

# %%
# alt: A coffee cup, and six maps of it. Grad-CAM at fire3 lights up edges and areas all over the
#   photograph, at fire5 mostly the spoon, at fire9 the coffee. LayerCAM at fire3 and fire5 is faint
#   dots in a grid, more of them on the cup; at fire9 it is a blob like Grad-CAM's.
show(squeeze, data.coffee(), maps, columns=4)

# %% [markdown]
# At an early layer a channel answers to an edge wherever it is, and one weight for the whole
# channel cannot tell the cup's edge from the table's. LayerCAM can, but its early maps are dots: max
# pooling hands the gradient back to the winner of each window alone. By the last layer the two
# methods nearly agree. The bars differ, too: Grad-CAM's early numbers are much
# smaller.
#
# ## The family
#
# Six ways to ask where the tripod is, in SqueezeNet. The last two work at the input, so they are as
# fine as the photograph.

# %%
x = squeeze.preprocess(photographer)
tripod = names.index("tripod")
methods = {
    "Grad-CAM": GradCAM(squeeze, "features.fire9"),
    "HiResCAM": HiResCAM(squeeze, "features.fire9"),
    "Grad-CAM++": GradCAMPlusPlus(squeeze, "features.fire9"),
    "LayerCAM": LayerCAM(squeeze, "features.fire9"),
    "gradient × input": InputXGradient(squeeze),
    "guided": GuidedInputXGradient(squeeze),
}
maps = {name: method(x, tripod)[0] for name, method in methods.items()}

# %%
# alt: The photographer and six maps. Grad-CAM, HiResCAM, Grad-CAM++ and LayerCAM are bright on the
#   lower half of the tripod and, more or less, on the camera. Gradient times input is a spray of
#   dots all over man and tripod. The guided map is finer still, dots and lines along their edges.
shown = {
    name: one.clamp(max=float(one.flatten().quantile(0.995))) for name, one in maps.items()
}
show(squeeze, photographer, shown, columns=4)

# %% [markdown]
# The two fine maps have a few very large numbers; for the picture, each map is cut off at the
# number that one pixel in two hundred exceeds.
#
# ## Are they right?
#
# *Deletion* takes the pixels that a map ranks first out of the photograph, *insertion* puts them
# into a blurred one. Here for Grad-CAM and for a map of random numbers:

# %%
random = torch.rand(1, *x.shape[2:], generator=torch.Generator().manual_seed(0))
curves = {}
for name, one in (("Grad-CAM", maps["Grad-CAM"][None]), ("random", random)):
    for way in ("deletion", "insertion"):
        curves[way, name] = getattr(faithfulness, way)(squeeze, x, one, tripod, steps=12)
for (way, name), curve in curves.items():
    print(f"{way:9} {name:8} area {float(curve.area):.2f}")

# %%
# alt: Two plots of the probability of tripod over the share of pixels exchanged. Deletion: both
#   curves fall at once, within the first tenth or so. Insertion: the curve of Grad-CAM rises well
#   before that of the random map.
figure, axes = plt.subplots(1, 2, figsize=(6.8, 3.2), layout="constrained", sharey=True)
for ax, way in zip(axes, ("deletion", "insertion"), strict=True):
    for name, colour, marker in (("Grad-CAM", "#0072b2", "o"), ("random", "#b93c0a", "s")):
        curve = curves[way, name]
        ax.plot(curve.shares, curve.scores[0], color=colour, marker=marker, label=name)
    ax.set(title=way, xlabel="share of the pixels")
    ax.grid(alpha=0.3)
axes[0].set_ylabel("probability of tripod")
axes[1].legend()
plt.show()

# %% [markdown]
# With a quarter of the pixels put in, Grad-CAM's first, the network is surer of a tripod than with
# all of them, perhaps because evidence for other classes is not there yet. But one photograph
# proves nothing. Here are the mean areas of several maps on all stored photographs, each map for the
# network's own top class, and on small networks with a flattening head, trained on pictures of clothes. *Random* and *middle* (a
# blob in the middle of the image) know nothing of the network. *Drop* is the share of the probability lost when
# the map is used as a mask. Small deletion, large insertion and small drop are good.

# %%
stored = read("gradcam")
for name, value in stored.provenance.items():
    print(f"{name:9} {value}")
ways = ("deletion", "insertion", "drop")
table = {}
for run in stored.data["runs"]:
    table.setdefault((run["network"], run["method"]), []).append([run[way] for way in ways])
for seed in stored.data["clothes"]:
    for method, measured in seed["methods"].items():
        table.setdefault(("clothes, flattening head", method), []).extend(
            zip(*(measured[way] for way in ways), strict=True)
        )
table = {key: np.array(rows) for key, rows in table.items()}
networks = list(dict.fromkeys(network for network, _ in table))
for network in networks:
    print(f"\n{network:28} images deletion insertion  drop")
    for method in (one for one in stored.data["settings"]["methods"] if (network, one) in table):
        rows = table[network, method]
        deletion, insertion, drop = rows.mean(axis=0)
        print(f"{method:28} {len(rows):6} {deletion:8.2f} {insertion:9.2f} {drop:5.2f}")

# %% [markdown]
# All maps see the same images, so compare in pairs: the difference on each image, its mean, and the
# standard error of that mean (with n − 1). Positive means that the first map is better.

# %%
for network in networks:
    for first, second in (("Grad-CAM", "random"), ("HiResCAM", "Grad-CAM"), ("LayerCAM", "Grad-CAM")):
        if (network, first) not in table or (network, second) not in table:
            continue
        words = []
        for column, sign in ((0, -1), (1, 1)):
            gain = sign * (table[network, first] - table[network, second])[:, column]
            words.append(f"{ways[column]} {gain.mean():+.2f} ± {gain.std(ddof=1) / len(gain) ** 0.5:.2f}")
        print(f"{network:28} {first} − {second}: " + ", ".join(words))

# %% [markdown]
# Insertion tells Grad-CAM from noise at the last layer of both networks. Deletion does not: its errors are
# as large as the differences, since it mixes the map with how the network takes holes. At the last layer the
# members of the family cannot be told apart. At an earlier layer, and before a flattening head,
# HiResCAM is clearly better than Grad-CAM: the mean over space loses where the evidence is. The page
# [can a map be trusted?](../topics/map_faithfulness.md) discusses this.
#
# ## Does the map depend on the network?
#
# Draw SqueezeNet's weights anew, from the head down, part by part. A map of what the *network* does
# must change. (Adebayo and others, arXiv:1810.03292.) Each line is one draw of all weights. Where a
# line ends, the new weights have switched the class off for the whole image: the map is blank, and
# has no rank correlation.

# %%
x = squeeze.preprocess(data.coffee())
parts = ["classifier", *(f"features.fire{number}" for number in (9, 8, 7, 6, 5, 4, 3, 2))]
parts.append("features.conv1")
explained = {
    "Grad-CAM": lambda one: GradCAM(one, "features.fire9")(x, espresso),
    "gradient × input": lambda one: InputXGradient(one, relu=False)(x, espresso).abs(),
    "guided": lambda one: GuidedInputXGradient(one, relu=False)(x, espresso).abs(),
}
checked = {
    name: faithfulness.randomization_check(squeeze, explain, parts, seeds=range(2))
    for name, explain in explained.items()
}

# %%
# alt: Rank correlation with the original map over the parts with new weights, from the head to the
#   first convolution, two lines for each map. Grad-CAM is below a half throughout, on both
#   sides of zero. Gradient times input goes from a half to somewhat less. The guided map is near one
#   for the first two parts, then it falls and rises again. One line of each map ends at fire6: from
#   there on the map is blank.
figure, ax = plt.subplots(figsize=(6.8, 3.6), layout="constrained")
looks = {"Grad-CAM": ("#0072b2", "o"), "gradient × input": ("#5a7d2a", "^"), "guided": ("#b93c0a", "s")}
for name, found in checked.items():
    colour, marker = looks[name]
    lines = torch.stack([found[part][:, 0] for part in parts])
    ax.plot(lines[:, 0], color=colour, marker=marker, label=name)
    ax.plot(lines[:, 1:], color=colour, marker=marker, alpha=0.5)
ax.set_xticks(range(len(parts)), [part.removeprefix("features.") for part in parts], rotation=45)
ax.set(ylabel="rank correlation", xlabel="new weights from the head down to", ylim=(-0.85, 1.05))
ax.axhline(0, color="0.5", linestyle=":")
ax.grid(alpha=0.3)
ax.legend(fontsize=10, ncols=3, loc="lower center")
plt.show()

# %%
for name, found in checked.items():
    head, late = (found[part].flatten().tolist() for part in ("classifier", "features.fire8"))
    print(f"{name:17} head " + ", ".join(f"{one:5.2f}" for one in head)
          + "   down to fire8 " + ", ".join(f"{one:5.2f}" for one in late))

# %% [markdown]
# The guided map, the prettiest of all, is nearly the same when the head has new weights. It draws
# the photograph's edges. Part of any such correlation is the photograph itself, which gradient ×
# input is multiplied with.
#
# ## Other libraries
#
# Grad-CAM of one small network by three libraries, compared with the map of the same network
# without operations in place. A number is the largest difference, with maps stretched from zero to
# one.

# %%
compared = read("gradcam_libraries").data
found = {(row["library"], row["layer"], row["inplace"]): row["off"] for row in compared["rows"]}
libraries = list(dict.fromkeys(row["library"] for row in compared["rows"]))
kinds = list(dict.fromkeys(row["layer"] for row in compared["rows"]))
lines = []
for inplace in (False, True):
    heading = "in-place ReLUs" if inplace else "ordinary ReLUs"
    lines.append(f"\n{heading:18}" + "".join(f"{kind:>13}" for kind in kinds))
    for library in libraries:
        off = "".join(f"{found[library, kind, inplace]:13.3f}" for kind in kinds)
        lines.append(f"{library:18}{off}")
versions = ", ".join(f"{name} {version}" for name, version in compared["versions"].items())
print(versions + "\n".join(lines))

# %% [markdown]
# (pytorch-grad-cam imports torchvision, for other purposes; it could not be imported beside this
# version of torch, and an empty module stood in for it.)
#
# Without in-place ReLUs all agree. With them, two of the libraries keep a layer's output without a
# copy, and the ReLU behind it writes over what they kept: the map of a convolution or a batch norm is
# wrong, with nothing to be seen of it. At the ReLU itself all are right. With such a library, ask
# for the block that the ReLU ends. In a residual network one ReLU runs several times in a block, so
# that asking for the ReLU mixes its runs up.
#
# The other methods of the family, each compared with every library that has it. A number is the
# largest difference, as a share of the largest number of the map.

# %%
family = compared["family"]
for row in family:
    print(f"{row['method']:24}{row['library']:18}{row['off']:10.6f}")

# %% [markdown]
# All agree to rounding but two. torchcam's Grad-CAM++ multiplies the activations into the sum of
# its denominator together with the gradients, where the paper sums the activations alone. And a
# principal component has no sign: pytorch-grad-cam takes the one that the decomposition happens to
# return, which here inverts the map; with the other sign it is ours.
#
# ## Try
#
# - Ask for the difference of two classes, `lambda scores: scores[:, a] - scores[:, b]`, on the
#   photographer, with `a` the number of *tripod* and `b` that of *reflex camera*. Where does the network tell a tripod from a reflex camera?
# - Give `deletion` another `baseline`: the blurred image in place of the mean colour. Does the random
#   map still beat Grad-CAM on most of the photographs on Lite0?
# - Turn the photograph upside down. What happens to the answer, and what to the map of *tripod*?
# - Ask for a class that is not in the photograph at all. Is the map zero?
#
# Sources: the page on [Grad-CAM](../topics/gradcam.md#sources) lists them; V. Petsiuk and others,
# *RISE*, arXiv:1806.07421, for deletion and insertion.
