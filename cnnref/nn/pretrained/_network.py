"""What the pre-trained networks have in common: three parts, and the input they expect."""

from __future__ import annotations

import torch
from torch import nn

from cnnref.nn._images import Images, as_tensors, square

__all__ = ["ImageNetwork", "check_image_network"]


class ImageNetwork(nn.Module):
    """A classifier of photographs: `classifier(pool(features(x)))`.

    Attributes:
        features: The named layers and blocks, in order, that compute the feature maps.
        pool: From feature maps to the input of the classifier.
        classifier: The head; its output is one score per class, (N, classes), before any softmax.
        input_size: Side of the square photographs that the network was trained on, in pixels.
        mean: What is subtracted from each channel, shape (1, 3, 1, 1), in the network's order.
        scale: What the difference is divided by.
        reads_bgr: Whether the network's order of channels is blue, green, red.
    """

    mean: torch.Tensor

    def __init__(
        self,
        features: nn.Sequential,
        pool: nn.Module,
        classifier: nn.Sequential,
        *,
        input_size: int,
        mean: tuple[float, float, float],
        scale: float,
        reads_bgr: bool = False,
    ) -> None:
        super().__init__()
        self.features = features
        self.pool = pool
        self.classifier = classifier
        self.input_size = input_size
        self.scale = scale
        self.reads_bgr = reads_bgr
        # A buffer moves with the network to another device; this one is not part of the weights.
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the scores (N, classes) of normalised photographs (N, 3, H, W)."""
        scores: torch.Tensor = self.classifier(self.pool(self.features(input)))
        return scores

    def crop(self, images: Images) -> torch.Tensor:
        """Return photographs as squares of `input_size`: RGB floats from 0 to 255, (N, 3, S, S).

        The shorter side is resized to 256 pixels, with a blur against aliasing, and the square in
        the middle is cropped, as is usual when networks are tested. Photographs that already are
        squares of `input_size` are returned unchanged.

        Args:
            images: A uint8 array (H, W, 3), a list of such arrays of any sizes, or a tensor
                (N, 3, H, W), uint8 or floating, with values from 0 to 255; red, green, blue.

        Raises:
            TypeError: If the images are of the wrong kind or dtype.
            ValueError: If a shape is wrong or values are not between 0 and 255.
        """
        squares = [square(image, self.input_size) for image in as_tensors(images)]
        return torch.cat(squares).to(self.mean.device)

    def normalize(self, images: torch.Tensor) -> torch.Tensor:
        """Return RGB values from 0 to 255, (N, 3, H, W), as the network expects them.

        Differentiable; sizes do not change.
        """
        if self.reads_bgr:
            images = images.flip(1)
        return (images - self.mean) / self.scale

    def preprocess(self, images: Images) -> torch.Tensor:
        """Return photographs as `forward` takes them, (N, 3, S, S): cropped, then normalised.

        Args:
            images: As for `crop`.

        Raises:
            TypeError: As for `crop`.
            ValueError: As for `crop`.
        """
        return self.normalize(self.crop(images))


def check_image_network(model: object) -> None:
    """Refuse any other network, since nothing is known of its parts and of the input it expects.

    Raises:
        TypeError: If the model is not an `ImageNetwork`.
    """
    if not isinstance(model, ImageNetwork):
        raise TypeError(
            f"`model` is a {type(model).__name__}; it must be an ImageNetwork, such as "
            "`squeezenet()`. Build one around another network from its parts: "
            "`ImageNetwork(features, pool, classifier, input_size=224, mean=..., scale=...)`"
        )
