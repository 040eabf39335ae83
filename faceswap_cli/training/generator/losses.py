"""The terms of a generator's loss, one function each (SimSwap, section 3.4, and what is ours)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core.settings import Maps

WEAK = 2  # hidden maps of a patch discriminator that weak matching takes: the deepest, which know pose and expression
CONTRAST_MARGIN = 0.2


def identity_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Return 1 - cosine, mean over (N, D) of L2 norm 1."""
    return 1 - (found * wanted).sum(dim=1).mean()


def contrast_loss(found: Tensor, target: Tensor) -> Tensor:
    """Return how far the result's cosine to the target's person exceeds the margin, mean over the batch."""
    return functional.relu((found * target).sum(dim=1) - CONTRAST_MARGIN).mean()


def outside_loss(image: Tensor, target: Tensor, outside: Tensor) -> Tensor:
    """Return the L1 distance where `outside` (N, 1, S, S) is 1."""
    return (outside * (image - target).abs()).mean()


def light_loss(image: Tensor, target: Tensor) -> Tensor:
    """Return the L1 distance of both averaged over sixteenths of the side: light and complexion stay the target's."""
    patch = image.shape[-1] // 16
    return functional.l1_loss(functional.avg_pool2d(image, patch), functional.avg_pool2d(target, patch))


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Return the discriminator's hinge loss on logits of one scale."""
    return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()


def hinge_generator(fake: Tensor) -> Tensor:
    """Return the generator's side of the hinge loss on logits of one scale: it wants them high."""
    return -fake.mean()


def feature_matching(fake: list[Tensor], real: list[Tensor], maps: Maps) -> Tensor:
    """Return the sum of the mean L1 distances between hidden maps of one discriminator, whose last map are its logits.

    The target's maps are detached. SimSwap, equation 7: only the last ones ("weak"), so that texture is free to change.
    """
    first = {"weak": -1 - WEAK, "all": 0}[maps]
    hidden = zip(fake[first:-1], real[first:-1], strict=True)
    return torch.stack([functional.l1_loss(ours, theirs.detach()) for ours, theirs in hidden]).sum()


def r1_penalty(logits: list[Tensor], image: Tensor) -> Tensor:
    """Return R1: the mean squared norm of the logits' gradient at real images (Mescheder et al. 2018)."""
    total = torch.stack([scale.float().sum() for scale in logits]).sum()
    (gradient,) = torch.autograd.grad(total, image, create_graph=True)
    return gradient.float().square().sum(dim=(1, 2, 3)).mean()


def blend_penalty(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Return how far the norm of the logits' gradient is from 1 on random blends of real and made images, squared.

    Mean over batch and scales. WGAN-GP (Gulrajani et al. 2017), which SimSwap's paper names.
    """
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    blend = torch.lerp(fake.detach(), real.detach(), share).requires_grad_(True)
    penalties = []
    for maps in discriminator(blend):
        (gradient,) = torch.autograd.grad(maps[-1].float().sum(), blend, create_graph=True)
        penalties.append((gradient.float().flatten(1).norm(dim=1) - 1).square().mean())
    return torch.stack(penalties).mean()
