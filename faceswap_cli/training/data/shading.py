"""Light a face anew by its surface: another lamp, its shade and its shine, where a head's form puts them.

The surface is a mean head, turned as the face's landmarks say; what lies around the face counts as looking at the
camera. Directions are x to the picture's right, y down, z away from the camera. All chance comes from the numpy
Generator that is given.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from ...portrait.geometry import fit_pose, rotation

# Made by examples/head_surface.py: `points` and `normals` (N, 3), in the frame of the mean face.
_FILE = Path(__file__).with_name("head_surface.npz")
SIDE = 48  # of a map of normals
# Standard deviations, in shares of the side, over which normals are averaged, and how much each counts: the second one
# carries the face on a little way beyond its outline. ANYHOW is the weight of what looks at the camera.
REACHES = ((0.018, 1.0), (0.05, 0.01))
ANYHOW = 0.3
AHEAD = np.array([0.0, 0.0, -1.0], np.float32)  # towards the camera

FLATTEST, STEEPEST = np.radians([15, 85])  # least and most angle between lamp and camera
AMBIENT = (0.05, 0.7)  # share of the light that comes from everywhere
WRAPPED = (0.0, 0.4)  # how far a lamp reaches around the form: a large one is soft
CAST, LAMP_CAST, LAMP_COLOURED = 0.05, 0.22, 0.25  # deviations of light's colours; chance of the second
SECOND = 0.3  # chance of a second lamp
SHINY, SHINE, GLOSS = 0.4, (0.1, 0.45), (5.0, 40.0)  # chance of shine, how strong it is, and its exponent (Blinn 1977)
EXPOSED = (0.8, 1.2)  # mean brightness over what it was
GAMMA = 2.2  # by which pictures are brought to linear light


@dataclass(frozen=True, slots=True, eq=False)
class Lamp:
    """One light."""

    direction: np.ndarray  # (3,) towards it, of length 1
    wrapped: float  # how far it reaches around the form
    colour: np.ndarray  # (3,) RGB, 1 each for white
    shine: float  # share of white that it mirrors where a surface mirrors most
    gloss: float  # exponent of the shine


@dataclass(frozen=True, slots=True, eq=False)
class Shading:
    """A light for a picture; maps are those of its normals, of any side."""

    gain: np.ndarray  # (h, w, 3) float32: what linear light is multiplied by
    shine: np.ndarray  # (h, w, 1) float32 in [0, 1]: share of white that lies over it


def surface_normals(landmarks: np.ndarray) -> np.ndarray:
    """Return the normals (SIDE, SIDE, 3) float32 of a crop's face with landmarks (66, 2), shares of the crop's side."""
    points, normals = _stored()
    pose = fit_pose(landmarks)
    turn = rotation(*pose.angles)
    places, turned = (pose.scale * points @ turn.T)[:, :2] + pose.place, normals @ turn.T.astype(np.float32)
    seen = turned[:, 2] < 0
    places, turned = places[seen], turned[seen]
    summed = ANYHOW * np.ones((SIDE, SIDE, 1)) * AHEAD
    middles = (np.arange(SIDE) + 0.5) / SIDE
    for reach, counts in REACHES:
        across, down = (_bells(middles[:, None] - places[:, axis], reach) for axis in (0, 1))
        weighted = (across.T[..., None] * turned[:, None]).reshape(len(turned), -1)
        summed += counts * (down @ weighted).reshape(SIDE, SIDE, 3)
    return np.asarray(summed / np.linalg.norm(summed, axis=2, keepdims=True), np.float32)


def draw_shading(normals: np.ndarray, draw: Generator) -> Shading:
    """Return a light of one or two lamps for a face with normals (h, w, 3)."""
    lamps = [draw_lamp(draw) for _ in range(2 if draw.random() < SECOND else 1)]
    shading = shading_of(normals, draw.uniform(*AMBIENT) * _cast(draw, CAST), lamps)
    return replace(shading, gain=shading.gain * np.float32(draw.uniform(*EXPOSED)))


def draw_lamp(draw: Generator) -> Lamp:
    """Return a lamp before the face, anywhere around it."""
    steep, around = draw.uniform(FLATTEST, STEEPEST), draw.uniform(0, 2 * np.pi)
    return Lamp(
        direction=np.array([np.sin(steep) * np.cos(around), np.sin(steep) * np.sin(around), -np.cos(steep)]),
        wrapped=draw.uniform(*WRAPPED),
        colour=_cast(draw, LAMP_CAST if draw.random() < LAMP_COLOURED else CAST),
        shine=draw.uniform(*SHINE) if draw.random() < SHINY else 0.0,
        gloss=draw.uniform(*GLOSS),
    )


def shading_of(normals: np.ndarray, ambient: np.ndarray, lamps: list[Lamp]) -> Shading:
    """Return what light from everywhere, (3,) RGB below 1, and lamps, which share the rest, do to normals (h, w, 3).

    It is Lambert's law, wrapped around the form, and Blinn's shine (1977). The mean gain is 1.
    """
    gain = np.broadcast_to(ambient, normals.shape).astype(np.float32)
    shine = np.zeros((*normals.shape[:2], 1), np.float32)
    for lamp in lamps:
        facing = np.clip((normals @ lamp.direction + lamp.wrapped) / (1 + lamp.wrapped), 0, None)[..., None]
        gain = gain + (1 - ambient) / len(lamps) * facing * lamp.colour
        halfway = (lamp.direction + AHEAD) / np.linalg.norm(lamp.direction + AHEAD)
        shine = np.maximum(shine, lamp.shine * np.clip(normals @ halfway, 0, 1)[..., None] ** lamp.gloss)
    return Shading((gain / gain.mean()).astype(np.float32), shine.astype(np.float32))


def shaded(picture: np.ndarray, shading: Shading) -> np.ndarray:
    """Return a picture (S, S, 3) uint8 in that light."""
    size = picture.shape[1], picture.shape[0]
    gain, shine = (cv2.resize(each, size, interpolation=cv2.INTER_LINEAR) for each in (shading.gain, shading.shine))
    light: np.ndarray = (picture.astype(np.float32) / 255) * gain ** np.float32(1 / GAMMA)
    light += shine[..., None] * (1 - light)
    return np.rint(255 * light.clip(0, 1)).astype(np.uint8)


def _bells(distances: np.ndarray, reach: float) -> np.ndarray:
    return np.exp(-0.5 * (distances / reach) ** 2).astype(np.float32)


def _cast(draw: Generator, deviation: float) -> np.ndarray:
    return np.asarray(np.exp(draw.normal(0, deviation, 3)), np.float32)


@cache
def _stored() -> tuple[np.ndarray, np.ndarray]:
    with np.load(_FILE) as stored:
        return stored["points"].astype(np.float64), stored["normals"].astype(np.float32)
