"""Encodings of landmarks: published numbers, and positions."""

import torch

from synfiqa.actors.nets.fiqa.dsl.landmark_branch import INDEX_ENTRIES, fourier, index_code, position_code


def landmarks(inside):
    """68 landmarks of which those named are in a crop of 100 pixels, at (50, 25)."""
    points = torch.full((1, 68, 2), -5.0)
    points[0, inside] = torch.tensor([50.0, 25.0])
    return points


def test_numbers_inside_come_first_and_padding_is_the_largest():
    code = index_code(landmarks([3, 40]), 100)[0]
    assert code.shape == (INDEX_ENTRIES,)
    # Between 3 and the padding 69.
    expected = torch.tensor([-1.0, 2 * (40 - 3) / 66 - 1, 1.0])
    assert torch.allclose(code[:3], expected, atol=1e-5)
    assert torch.allclose(code[2:], torch.ones(498), atol=1e-5)


def test_where_landmarks_lie_does_not_enter_the_published_encoding():
    moved = landmarks([3, 40]) + 1
    assert torch.equal(index_code(landmarks([3, 40]), 100), index_code(moved, 100))


def test_a_crop_without_landmarks_is_a_row_of_minus_one():
    assert torch.equal(index_code(landmarks([]), 100), torch.full((1, INDEX_ENTRIES), -1.0))


def test_positions_are_relative_to_the_crop_and_0_outside():
    code = position_code(landmarks([1]), 100)[0]
    assert torch.allclose(code[2:4], torch.tensor([0.01, -0.49]))
    assert code[:2].tolist() == [0, 0]
    assert code[136:].tolist() == [0, 1, *([0] * 66)]


def test_octaves_of_sine_and_cosine():
    found = fourier(torch.tensor([[0.5]]), 2)[0]
    at = torch.tensor([0.5, 1.0])
    assert torch.allclose(found, torch.stack([torch.tensor(0.5), *torch.stack([at.sin(), at.cos()], 1).flatten()]))
    assert fourier(torch.zeros(1, 500), 10).shape == (1, 10_500)
