"""DSL-FIQA (2406.09622): perceptual face quality under degradation queries and landmarks."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from synfiqa.actors.nets.fiqa.contract import FiqaNetwork
from synfiqa.actors.nets.fiqa.dsl.attention import ChannelAttention, SwinStage
from synfiqa.actors.nets.fiqa.dsl.degradation_encoder import DegradationEncoder
from synfiqa.actors.nets.fiqa.dsl.landmark_branch import LANDMARKS, Encoding, LandmarkBranch
from synfiqa.actors.nets.fiqa.dsl.query_decoder import QueryBlock
from synfiqa.actors.nets.fiqa.dsl.token_backbone import TAPS, TokenBackbone

HEADS, WINDOW = 4, 4
"""Heads of a layer of a Swin stage, and the side of its windows in tokens."""
DECODER_BLOCKS, DECODER_HEADS, DECODER_MLP = 3, 8, 4.0
DROP_PATHS = tuple(0.1 * index / 15 for index in range(DECODER_BLOCKS))
"""Stochastic depth of the decoder: the first three of sixteen rates from 0 to 0.1."""
WEIGHT_FLOOR = 1e-6
OUTSIDE = -1e4
"""Coordinate of landmarks that are unknown: outside every crop."""

Queries = Literal["degradation", "image"]
"""What the decoder reads the image tokens with: degradation tokens, or (ablation) the image tokens themselves."""


class DslNetwork(FiqaNetwork):
    """Scores square crops of portraits, RGB (B, 3, side, side) in -1..1, by weighted scores of their tokens.

    Tokens of four blocks of a vision transformer pass two rounds of channel attention, 1 x 1 convolution and Swin
    stage; a decoder reads them with the tokens of the degradation encoder; the landmark branch appends one channel; two
    heads give a score and a weight a token, and the quality is the weighted mean. The defaults are the published
    network, whose keys are kept: `IQA.pt` at the top level, `DE.pt` below `encoder`.

    `landmarks` none leaves the branch out; `queries` image does without degradation tokens; `permuted` is the published
    order of channel attention; `rectified` ends the score head with ReLU as published, else it is unbounded.
    ValueError for sizes that do not fit together.
    """

    def __init__(
        self,
        side: int = 384,
        patch: int = 16,
        width: int = 768,
        depth: int = 10,
        heads: int = 12,
        mlp_ratio: float = 4.0,
        stem: bool = False,
        swin_hidden: int = 768,
        swin_depths: Sequence[int] = (2, 2),
        swin_scale: float = 0.8,
        encoder_widths: Sequence[int] = (64, 128, 256),
        encoder_grid: Sequence[int] = (8, 12),
        landmarks: Encoding | Literal["none"] = "indices",
        landmark_bands: int = 10,
        landmark_hidden: int = 0,
        queries: Queries = "degradation",
        permuted: bool = True,
        rectified: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        given = dict(locals())
        self.arguments = {
            key: list(value) if isinstance(value, list | tuple) else value
            for key, value in given.items()
            if key not in ("self", "__class__")
        }
        _check(side, patch, width, depth, tuple(encoder_widths), queries)
        self.side, self.grid = side, side // patch
        tokens = self.grid**2
        self.embedding_dim = encoder_widths[-1]
        self.encoder = DegradationEncoder(encoder_widths, encoder_grid)
        self.backbone = TokenBackbone(side, patch, width, depth, heads, mlp_ratio=mlp_ratio, stem=stem)
        stage = {
            "side": self.grid,
            "depths": swin_depths,
            "heads": [HEADS] * len(swin_depths),
            "window": WINDOW,
            "hidden": swin_hidden,
            "scale": swin_scale,
            "dropout": dropout,
        }
        self.tablock1 = nn.ModuleList(ChannelAttention(tokens, dropout, permuted=permuted) for _ in range(2))
        self.conv1 = nn.Conv2d(TAPS * width, width, 1)
        self.swintransformer1 = SwinStage(width, **stage)  # type: ignore[arg-type]
        self.tablock2 = nn.ModuleList(ChannelAttention(tokens, dropout, permuted=permuted) for _ in range(2))
        self.conv2 = nn.Conv2d(width, width // 2, 1)
        self.swintransformer2 = SwinStage(width // 2, **stage)  # type: ignore[arg-type]
        read = self.embedding_dim
        self.conv_decoder = nn.Conv2d(width // 2, read, 1)
        self.decoder = nn.ModuleList(QueryBlock(read, DECODER_HEADS, DECODER_MLP, rate) for rate in DROP_PATHS)
        self.landmark_branch = (
            None if landmarks == "none" else LandmarkBranch(landmarks, landmark_bands, landmark_hidden, tokens, dropout)
        )
        whole = read + (landmarks != "none")
        self.fc_score = _head(whole, dropout, nn.ReLU() if rectified else nn.Identity())
        if not rectified:
            # Scores are scaled to 0..1: from their middle an unbounded head starts to rank at once.
            last = self.fc_score[3]
            assert isinstance(last, nn.Linear)
            nn.init.constant_(last.bias, 0.5)
        self.fc_weight = _head(whole, dropout, nn.Sigmoid())
        self._degradation = queries == "degradation"
        self.frozen_encoder = True

    def train(self, mode: bool = True) -> "DslNetwork":
        """Set the mode of all parts; a frozen encoder keeps its statistics."""
        super().train(mode)
        if self.frozen_encoder:
            self.encoder.eval()
        return self

    def forward(self, x: Tensor, landmarks: Tensor | None = None) -> Tensor:
        """Return scores float32 (B,) of crops and their landmarks (B, 68, 2), x and y in pixels of the crop.

        Without landmarks they count as outside.
        """
        return self._scores(self._tokens(x), landmarks)

    def embed_and_score(self, x: Tensor, landmarks: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the mean decoder token float32 (B, D) and the scores float32 (B,) of crops."""
        tokens = self._tokens(x)
        return tokens.mean(dim=1), self._scores(tokens, landmarks)

    def _tokens(self, x: Tensor) -> Tensor:
        """Return decoder tokens float32 (B, T, D); ValueError for crops of another size."""
        if tuple(x.shape[2:]) != (self.side, self.side):
            raise ValueError(f"crops must have {self.side} x {self.side} pixels, not {tuple(x.shape[2:])}")
        maps = self.backbone(x).transpose(1, 2)
        for attend in self.tablock1:
            maps = attend(maps)
        maps = self.swintransformer1(self.conv1(self._square(maps))).flatten(2)
        for attend in self.tablock2:
            maps = attend(maps)
        maps = self.conv_decoder(self.swintransformer2(self.conv2(self._square(maps))))
        tokens = maps.flatten(2).transpose(1, 2)
        queries = None
        if self._degradation:
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen_encoder):
                queries = self.encoder(x)
        for block in self.decoder:
            tokens = block(tokens, queries, self.grid)
        return tokens.float()

    def _square(self, maps: Tensor) -> Tensor:
        return maps.unflatten(2, (self.grid, self.grid))

    def _scores(self, tokens: Tensor, landmarks: Tensor | None) -> Tensor:
        with torch.autocast(tokens.device.type, enabled=False):
            if self.landmark_branch is not None:
                if landmarks is None:
                    landmarks = tokens.new_full((tokens.shape[0], LANDMARKS, 2), OUTSIDE)
                tokens = torch.cat([tokens, self.landmark_branch(landmarks.float(), self.side)[..., None]], dim=2)
            scores, weights = self.fc_score(tokens), self.fc_weight(tokens)
            mean: Tensor = (scores * weights).sum(dim=1) / weights.sum(dim=1).clamp_min(WEIGHT_FLOOR)
            return mean.squeeze(1)


def _head(width: int, dropout: float, last: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 1), last)


def _check(side: int, patch: int, width: int, depth: int, widths: tuple[int, ...], queries: str) -> None:
    if side % patch or (side // patch) % WINDOW:
        raise ValueError(
            f"side {side} must be patches of {patch} in windows of {WINDOW}: a multiple of {patch * WINDOW}"
        )
    if width % (2 * HEADS) or depth < TAPS:
        raise ValueError(f"width must be a multiple of {2 * HEADS}, not {width}, and depth at least {TAPS}")
    if widths[-1] % DECODER_HEADS:
        raise ValueError(f"the last of encoder_widths must be a multiple of {DECODER_HEADS}, not {widths[-1]}")
    if queries not in ("degradation", "image"):
        raise ValueError(f"queries must be degradation or image, not {queries}")


COMPACT = {
    "side": 128,
    "width": 96,
    "depth": 4,
    "heads": 4,
    "mlp_ratio": 2.0,
    "stem": True,
    "swin_hidden": 96,
    "swin_depths": [2],
    "encoder_widths": [8, 16, 64],
    "encoder_grid": [8, 8],
    "landmarks": "positions",
    "landmark_bands": 4,
    "landmark_hidden": 128,
    "permuted": False,
    "rectified": False,
    "dropout": 0.0,
}
"""Arguments of the network for CPUs: crops of 128 pixels, convolutional stem, positions of landmarks."""
