"""Augmentation of aligned faces during training."""

import torch


def augment(gray: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Return luma (B, 112, 112) in 0..255 with random changes that keep the quality label.

    Half are mirrored; half are turned by up to 8 degrees, scaled by up to 6 % and shifted by up to 3 pixels; all get a
    mild gamma, contrast and a faint low-frequency texture. No strong blur, cover or darkening.
    """
    count, size, _ = gray.shape

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.rand(count, *shape, generator=rng) * (high - low) + low

    mirrored = uniform(0, 1) < 0.5
    gray = torch.where(mirrored[:, None, None], gray.flip(2), gray)
    moved = (uniform(0, 1) < 0.5).float()
    angle = torch.deg2rad(uniform(-8, 8)) * moved
    scale = 1 + uniform(-0.06, 0.06) * moved
    shift = uniform(-3, 3, 2) * moved[:, None] * 2 / size
    cosine, sine = scale * torch.cos(angle), scale * torch.sin(angle)
    rows = [torch.stack([cosine, -sine, shift[:, 0]], 1), torch.stack([sine, cosine, shift[:, 1]], 1)]
    grid = torch.nn.functional.affine_grid(torch.stack(rows, 1), [count, 1, size, size], align_corners=False)
    gray = torch.nn.functional.grid_sample(
        gray[:, None], grid, mode="bilinear", padding_mode="border", align_corners=False
    )[:, 0]
    gray = 255 * (gray.clamp(0, 255) / 255) ** torch.exp(uniform(-0.25, 0.25))[:, None, None]
    mean = gray.mean(dim=(1, 2), keepdim=True)
    gray = mean + (gray - mean) * uniform(0.85, 1.15)[:, None, None]
    texture = torch.nn.functional.interpolate(
        torch.randn(count, 1, 6, 6, generator=rng), size=(size, size), mode="bicubic", align_corners=False
    )[:, 0]
    return (gray + texture * uniform(0, 10)[:, None, None]).clamp(0, 255)
