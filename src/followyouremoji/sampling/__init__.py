"""From noise to latents: schedule, guidance, the progressive plan over frames and overlapping windows (Sec. 3.3)."""

from followyouremoji.sampling.guidance import ClipConditioning, condition_clip, predict_velocity
from followyouremoji.sampling.known_frames import join_known
from followyouremoji.sampling.noise import frame_noise
from followyouremoji.sampling.progressive import Segment, plan
from followyouremoji.sampling.sampler import SamplingSettings, sample
from followyouremoji.sampling.schedule import ddim_schedule
from followyouremoji.sampling.windows import Window, overlapping_windows

__all__ = [
    "ClipConditioning",
    "SamplingSettings",
    "Segment",
    "Window",
    "condition_clip",
    "ddim_schedule",
    "frame_noise",
    "join_known",
    "overlapping_windows",
    "plan",
    "predict_velocity",
    "sample",
]
