"""Rotation matrices and Euler angles of a head."""

import numpy as np


def rotation_matrix(pose: np.ndarray) -> np.ndarray:
    """Return (N, 3, 3) rotations of poses (N, 3) in degrees: pitch first, then yaw, then roll (x right, y up)."""
    yaw, pitch, roll = np.radians(np.asarray(pose, dtype=np.float64)).T
    zero, one = np.zeros_like(yaw), np.ones_like(yaw)

    def matrix(*rows: np.ndarray) -> np.ndarray:
        return np.stack(rows, axis=-1).reshape(-1, 3, 3)

    turn = matrix(np.cos(yaw), zero, np.sin(yaw), zero, one, zero, -np.sin(yaw), zero, np.cos(yaw))
    nod = matrix(one, zero, zero, zero, np.cos(pitch), np.sin(pitch), zero, -np.sin(pitch), np.cos(pitch))
    tilt = matrix(np.cos(roll), np.sin(roll), zero, -np.sin(roll), np.cos(roll), zero, zero, zero, one)
    return tilt @ turn @ nod


def euler_angles(rotation: np.ndarray) -> np.ndarray:
    """Return poses (N, 3) in degrees of rotations (N, 3, 3): the inverse of `rotation_matrix` for |pitch| <= 90."""
    # For |pitch| <= 90 this sign separates front from back views, so that yaw is continuous at 90.
    side = np.where(rotation[:, 2, 2] >= 0, 1.0, -1.0)
    yaw = np.arctan2(-rotation[:, 2, 0], side * np.hypot(rotation[:, 2, 1], rotation[:, 2, 2]))
    pitch = np.arctan2(-side * rotation[:, 2, 1], side * rotation[:, 2, 2])
    roll = np.arctan2(-side * rotation[:, 1, 0], side * rotation[:, 0, 0])
    return np.degrees(np.stack([yaw, pitch, roll], axis=1))
