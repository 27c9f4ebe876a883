"""A request's model in less of a device's memory, where that has too little: fewer segments at once, then networks that
take turns, then the CPU."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from followyouremoji.errors import lack_of_memory
from followyouremoji.requests.events import Note, OnEvent
from followyouremoji.requests.request import ModelChoice
from followyouremoji.settings import AnimationSettings

if TYPE_CHECKING:
    from followyouremoji.animator import PortraitAnimator

Load = Callable[[ModelChoice], "PortraitAnimator"]
Made = TypeVar("Made")


class FittingModel:
    """The model of requests, loaded when it is first needed. Where a device's memory does not suffice, it takes less of
    it from then on, and a note says so; frames are then the same within rounding.

    Parameters
    ----------
    load : gives a model; not one that another place of this process holds on a GPU, where `choice` asks for another
    """

    def __init__(self, choice: ModelChoice, load: Load) -> None:
        self._choice, self._load = choice, load
        self._animator: PortraitAnimator | None = None
        self._most: int | None = None  # segments at once, where fewer are made than asked for

    def loaded(self, tell: OnEvent) -> PortraitAnimator:
        """The model as it is held now. Raises as `load`."""
        while self._animator is None:
            try:
                self._animator = self._load(self._choice)
            except (RuntimeError, MemoryError) as error:
                note = self._lighter(error, None)
                if note is None:
                    raise
            else:
                break
            self._free(note, tell)
        return self._animator

    def make(
        self,
        settings: AnimationSettings,
        tell: OnEvent,
        attempt: Callable[[PortraitAnimator, AnimationSettings], Made],
    ) -> Made:
        """What an attempt makes with the model and settings as they fit into memory: it is made again with less where
        that ran out. Raises what it raises, also where no less is possible."""
        while True:
            animator = self.loaded(tell)
            batch = animator.sampling(settings).batch
            if self._most is not None:
                batch = min(batch, self._most)
                settings = replace(settings, batch=batch)
            try:
                return attempt(animator, settings)
            except (RuntimeError, MemoryError) as error:
                note = self._lighter(error, batch)
                if note is None:
                    raise
            del animator  # and, with the block, the error, whose traceback holds tensors
            self._free(note, tell)

    def _lighter(self, error: Exception, batch: int | None) -> Note | None:
        """Take less memory, after an error with so many segments at once, or while loading; the note that says so.
        None where it was another error, or there is no less."""
        lacking, choice, animator = lack_of_memory(error), self._choice, self._animator
        if lacking is None:
            return None
        if batch is not None and batch > 1:
            self._most = batch // 2
            sentence = f"Because {lacking} has too little free memory for {batch} segments at once, it makes {self._most}."
            return Note("less_memory", sentence, ("batch",))
        # Who loads may have only one model: what was asked for counts as tried.
        turning = choice.offload or (animator is not None and animator.model.turns is not None)
        on_cpu = choice.device == "cpu" or (animator is not None and animator.model.device.type == "cpu")
        self._animator = None
        if not turning:
            self._choice = replace(choice, offload=True)
            sentence = f"Because {lacking} has too little free memory, the networks take turns in it."
            return Note("less_memory", sentence, ("offload",))
        if not on_cpu:
            self._choice = replace(choice, device="cpu", dtype=None, offload=None, compiled=False)
            self._most = None
            sentence = f"Because {lacking} has too little free memory even so, the CPU makes this, which takes longer."
            return Note("less_memory", sentence, ("device",))
        return None

    @staticmethod
    def _free(note: Note, tell: OnEvent) -> None:
        import torch

        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        tell(note)
