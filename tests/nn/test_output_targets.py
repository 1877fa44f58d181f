from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from cnnref.nn.gradcam import (
    GradCAM,
    HiResCAM,
    best_box,
    class_pixels,
    one_logit,
    scores_at,
)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def body(*end):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), *end).eval()


def test_one_logit_and_its_other_class():
    x = noise(2, 3, 5, 6)
    model = body(nn.Flatten(), nn.Linear(120, 1))
    yes, no = (GradCAM(model, "1", relu=False)(x, one_logit(one)) for one in (True, False))
    torch.testing.assert_close(yes, -no)
    torch.testing.assert_close(yes, GradCAM(model, "1", relu=False)(x, 0))
    flat = body(nn.Flatten(), nn.Linear(120, 1), nn.Flatten(0))
    flat[3].load_state_dict(model[3].state_dict())
    torch.testing.assert_close(GradCAM(flat, "1", relu=False)(x, one_logit()), yes)
    # Two logits (z, 0) have the same two scores up to what both share.
    assert one_logit(False)(torch.tensor([3.0, -1.0])).tolist() == [-3, 1]


def test_class_pixels_equal_a_loop():
    scores = noise(2, 3, 4, 5)
    found = class_pixels(1)(scores)
    for n in range(2):
        total = 0.0
        for i in range(4):
            for j in range(5):
                if max(range(3), key=lambda c: float(scores[n, c, i, j])) == 1:
                    total += float(scores[n, 1, i, j])
        assert float(found[n]) == pytest.approx(total, abs=1e-5)
    corner = torch.zeros(4, 5, dtype=torch.bool)
    corner[0, :2] = True
    torch.testing.assert_close(class_pixels(2, corner)(scores), scores[:, 2, 0, :2].sum(dim=1))
    each = torch.stack([corner, corner.flip(0)])
    torch.testing.assert_close(
        class_pixels(2, each)(scores),
        torch.stack([scores[0, 2, 0, :2].sum(), scores[1, 2, 3, :2].sum()]),
    )


def test_the_map_of_a_pixel_lies_where_the_pixel_reads():
    """A pixel of a segmentation reads 3×3 pixels of the layer, and the map is zero elsewhere."""
    model, x = body(nn.Conv2d(4, 2, 3, padding=1)), noise(1, 3, 7, 9)
    where = torch.zeros(7, 9, dtype=torch.bool)
    where[2, 3] = True
    found = HiResCAM(model, "1", relu=False)(x, class_pixels(1, where))[0]
    outside = torch.ones(7, 9, dtype=torch.bool)
    outside[1:4, 2:5] = False
    assert not found[outside].any()
    assert found[1:4, 2:5].any()
    with torch.no_grad():
        expected = model(x)[0, 1, 2, 3] - model[2].bias[1]
    torch.testing.assert_close(found.sum(), expected)


@dataclass
class Detections:
    scores: torch.Tensor
    boxes: torch.Tensor


class Detector(nn.Module):
    def __init__(self, form):
        super().__init__()
        self.body, self.form = body(nn.Conv2d(4, 2 * 3, 3, padding=1)), form

    def forward(self, x):
        scores = self.body(x).permute(0, 2, 3, 1).reshape(len(x), -1, 3)
        boxes = scores.new_zeros(*scores.shape[:2], 4)
        return {
            "dict": {"heads": [{"scores": scores, "boxes": boxes}]},
            "dataclass": Detections(scores, boxes),
        }[self.form]


@pytest.mark.parametrize(
    ("form", "key"), [("dict", ("heads", 0, "scores")), ("dataclass", "scores")]
)
def test_detections_in_nested_outputs(form, key):
    model, x = Detector(form), noise(2, 3, 5, 6)
    found = HiResCAM(model, "body.1", relu=False)(x, scores_at(key, best_box(2)))
    scores = model.body(x).permute(0, 2, 3, 1).reshape(2, -1, 3)
    place = scores[:, :, 2].argmax(dim=1)
    expected = HiResCAM(model, "body.1", relu=False)(
        x, scores_at(key, lambda scores: scores[torch.arange(2), place, 2])
    )
    torch.testing.assert_close(found, expected)
    assert found.any()


def test_scores_at_takes_every_kind_of_target():
    output = {"a": (noise(3, 4), None)}
    scores = output["a"][0]
    torch.testing.assert_close(scores_at(("a", 0), 2)(output), scores[:, 2])
    torch.testing.assert_close(scores_at(("a", 0))(output), scores.amax(dim=1))
    torch.testing.assert_close(scores_at(("a", 0), [0, 1, 2])(output), scores[range(3), [0, 1, 2]])


def test_two_inputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = body()
            self.fc = nn.Linear(120, 3)

        def forward(self, x, factor, flag=False):
            return self.fc(self.body(x).flatten(1)) * factor * (2 if flag else 1)

    torch.manual_seed(1)
    model, x = Two().eval(), noise(2, 3, 5, 6)
    factor = torch.tensor([[1.0], [-3.0]])
    cam = GradCAM(model, "body.1", relu=False)
    found = cam((x, factor, True), 1)
    one = cam((x, torch.ones(2, 1)), 1)
    torch.testing.assert_close(found, one * factor[:, :, None] * 2)
    assert cam.layer_maps([x, factor], 1)["body.1"].shape == (2, 5, 6)
    with pytest.raises(ValueError, match="`inputs` is empty"):
        cam(())
    with pytest.raises(
        TypeError, match=r"`inputs` holds 1 argument, but .*inputs=\(x, factor, flag"
    ):
        cam(x)
    with pytest.raises(TypeError, match="`inputs` holds 4 arguments"):
        cam((x, x, x, x))


@pytest.mark.parametrize(
    ("use", "error", "words"),
    [
        (lambda: one_logit("yes"), TypeError, r"`positive` \('yes'\)"),
        (lambda: one_logit()(torch.zeros(2, 2)), ValueError, r"shape \(2, 2\)"),
        (lambda: one_logit()({"a": 1}), TypeError, r"scores_at\(key, one_logit"),
        (lambda: class_pixels(-1), ValueError, r"`index` \(-1\)"),
        (lambda: class_pixels(0, torch.zeros(2, 2)), TypeError, "`where` must be a tensor"),
        (lambda: class_pixels(0)(torch.zeros(2, 2)), ValueError, r"needs scores \(N, classes"),
        (lambda: class_pixels(3)(torch.zeros(1, 3, 2, 2)), ValueError, r"`index` \(3\) must be at"),
        (
            lambda: class_pixels(1)(torch.stack([torch.ones(2, 2), torch.zeros(2, 2)])[None]),
            ValueError,
            r"`index` \(1\) has the highest score at no pixel of image 0",
        ),
        (
            lambda: class_pixels(0, torch.zeros(2, 2, dtype=torch.bool))(torch.zeros(1, 3, 2, 2)),
            ValueError,
            "`where` is false everywhere in image 0",
        ),
        (
            lambda: class_pixels(0, torch.ones(3, 2, dtype=torch.bool))(torch.zeros(1, 3, 2, 2)),
            ValueError,
            r"`where` has shape \(3, 2\)",
        ),
        (lambda: best_box(0)(torch.zeros(1, 3)), ValueError, r"\(N, boxes, classes\)"),
        (lambda: best_box(2)(torch.zeros(1, 3, 2)), ValueError, r"`index` \(2\) must be at most 1"),
        (lambda: scores_at(()), ValueError, "`key` is an empty tuple"),
        (lambda: scores_at(1.5), TypeError, "`key` contains 1.5"),
        (lambda: scores_at("c")({"a": 1, "b": 2}), KeyError, "which has 'a', 'b'"),
        (lambda: scores_at(2)((1, 2)), KeyError, "which has a tuple of 2"),
        (lambda: scores_at(("a", "x"))({"a": Detections(1, 2)}), KeyError, "'scores', 'boxes'"),
    ],
)  # fmt: skip
def test_refuses(use, error, words):
    with pytest.raises(error, match=words):
        use()
