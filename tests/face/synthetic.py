"""Landmarks of metric faces whose pose is known: what an ideal detector would see."""

import numpy as np

from followyouremoji.face.geometry import project


def turn(yaw: float, pitch: float, roll: float) -> np.ndarray:
    def about(axis: int, angle: float) -> np.ndarray:
        matrix = np.eye(3)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        matrix[first, first] = matrix[second, second] = np.cos(angle)
        matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
        return matrix

    return about(1, yaw) @ about(0, pitch) @ about(2, roll)


def screen_landmarks(vertices: np.ndarray, pose: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Normalised landmarks of a metric face as an ideal detector gives them: weak-perspective relative depth."""
    points = project(vertices[None], pose[None], size)[0]
    camera = vertices @ pose[:3, :3].T + pose[:3, 3]
    focal = size[1] / (2 * np.tan(np.radians(31.5)))
    depth = -(camera[:, 2] - camera[:, 2].mean()) * focal / -camera[:, 2].mean()
    return np.column_stack([points / size, depth / size[0]])
