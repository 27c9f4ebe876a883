"""Which passes of the denoiser are computed, what is told of the others, and how: one frozen description, as text and
as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from followyouremoji.errors import SettingsError
from followyouremoji.sampling.forecast.bases import Basis

What = Literal["nothing", "velocity", "clean", "inside", "modules"]
Clock = Literal["angle", "timestep", "log-snr"]
Solver = Literal["ddim", "dpm++", "unipc"]

MAX_ORDER = 6


@dataclass(frozen=True)
class Forecast:
    """How the steps of a schedule are shortened. As it stands, nothing is: every pass is computed.

    Attributes
    ----------
    what : is told instead of computed in the steps between: "velocity" or "clean", the whole network's prediction as v
        or as clean latents; "inside", everything within the outermost `depth` layers of the denoiser (see
        `networks.unet.Recall`), which stay live; "modules", the output of every resnet, transformer and motion module.
    depth : for "inside", 0 or more.
    basis, order, clock : of the forecast, see `bases.weights` and `schedule.clock_times`.
    computed : steps whose passes are computed, ascending from 0; None: by `interval`.
    interval : every so many steps a pass is computed; with a threshold, at the latest then.
    first, last : so many steps at the beginning and at the end are always computed.
    threshold : gate for "inside" with a depth of 2 or more: a step is computed where the forecast of the outermost
        resnet, which stays live, misses its true features by more than this share of their norm. None: no gate.
    correct : when a pass has been computed, the steps since the one before are taken again with predictions
        interpolated between both ("velocity" and "clean" only). Costs no pass.
    solver, passes : the whole schedule replaced by one of so many steps; 0 keeps the number of steps that was asked
        for.
    guidance_interval, guidance_order : with guidance, the difference between both halves is computed in every so many
        computed passes and told by a polynomial of this order in the others.
    guidance_from, guidance_to : share of the schedule in [0, 1], 0 its beginning, in which guidance acts; outside, the
        unconditional half is left out.

    Raises SettingsError for values that cannot be used together.
    """

    what: What = "nothing"
    depth: int = 1
    basis: Basis = "newton"
    order: int = 1
    clock: Clock = "angle"
    computed: tuple[int, ...] | None = None
    interval: int = 1
    first: int = 1
    last: int = 0
    threshold: float | None = None
    correct: bool = False
    solver: Solver = "ddim"
    passes: int = 0
    guidance_interval: int = 1
    guidance_order: int = 1
    guidance_from: float = 0.0
    guidance_to: float = 1.0

    def __post_init__(self) -> None:
        for name, known in (("what", What), ("basis", Basis), ("clock", Clock), ("solver", Solver)):
            if getattr(self, name) not in get_args(known):
                raise SettingsError(
                    f"A forecast's {name} is one of {', '.join(get_args(known))}, not {getattr(self, name)!r}."
                )
        least = {"depth": 0, "order": 0, "interval": 1, "first": 1, "last": 0, "passes": 0}
        least |= {"guidance_interval": 1, "guidance_order": 0}
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise SettingsError(
                    f"A forecast's {name} must be {lowest} or more, not {getattr(self, name)}."
                )
        if max(self.order, self.guidance_order) > MAX_ORDER:
            raise SettingsError(
                f"A forecast's order can be at most {MAX_ORDER}: higher ones only magnify errors."
            )
        if self.computed is not None and (
            self.computed[:1] != (0,) or list(self.computed) != sorted(set(self.computed))
        ):
            raise SettingsError(
                f"The computed steps of a forecast must ascend from 0, not {list(self.computed)}."
            )
        if self.what != "inside" or self.depth < 2:
            if self.threshold is not None:
                raise SettingsError(
                    "A threshold needs a live layer to probe: what=inside with a depth of 2 or more."
                )
        elif self.threshold is not None and self.threshold < 0:
            raise SettingsError(f"A forecast's threshold must be 0 or more, not {self.threshold}.")
        if self.correct and not self.whole:
            raise SettingsError("Only whole predictions can be corrected: what=velocity or what=clean.")
        if self.solver != "ddim" and (self.what != "nothing" or self.passes == 0):
            raise SettingsError(
                f"The solver {self.solver} stands alone: give its number of passes and forecast nothing."
            )
        if not 0 <= self.guidance_from <= self.guidance_to <= 1:
            raise SettingsError(
                "Guidance acts from one share of the schedule to a later one, both from 0 to 1, not "
                f"{self.guidance_from} to {self.guidance_to}."
            )

    @property
    def whole(self) -> bool:
        """Whether the whole network's prediction is told."""
        return self.what in ("velocity", "clean")

    @property
    def features(self) -> bool:
        """Whether features within the network are told."""
        return self.what in ("inside", "modules")

    @property
    def spares_guidance(self) -> bool:
        """Whether the unconditional half of guidance is left out, or told, in some passes."""
        return (self.guidance_interval, self.guidance_from, self.guidance_to) != (1, 0, 1)

    def steps(self, asked: int) -> int:
        """Steps of the solver where a user asks for so many of DDIM: never more."""
        return min(self.passes, asked) if self.passes else asked

    def computes(self, steps: int) -> list[bool]:
        """For each of the solver's steps, whether its pass is computed for sure: (steps,)."""
        if self.what == "nothing":
            return [True] * steps
        if self.computed is not None:
            due = set(self.computed)
        elif self.threshold is not None:
            due = set()
        else:
            due = set(range(self.first - 1, steps, self.interval))
        due |= set(range(self.first)) | set(range(steps - self.last, steps))
        return [step in due for step in range(steps)]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Forecast:
        """The inverse of `to_dict`. Raises SettingsError for what is no setting of a forecast."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise SettingsError(
                f"{unknown[0]!r} is not a setting of a forecast; known are {', '.join(READ_AS)}."
            )
        computed = values.get("computed")
        try:
            return cls(**{**values, "computed": None if computed is None else tuple(map(int, computed))})
        except TypeError as error:
            raise SettingsError(f"A forecast cannot be read from {values}: {error}.") from None

    def to_dict(self) -> dict[str, Any]:
        """What differs from the defaults, for JSON."""
        standard = asdict(Forecast())
        return {name: value for name, value in asdict(self).items() if value != standard[name]}

    @classmethod
    def from_text(cls, text: str) -> Forecast:
        """From a text such as `what=clean,order=2,computed=0+4+11+20`. Raises SettingsError saying what cannot be
        read."""
        values: dict[str, Any] = {}
        for entry in text.split(","):
            name, _, value = entry.partition("=")
            if name not in READ_AS:
                raise SettingsError(
                    f"{name!r} is not a setting of a forecast; known are {', '.join(READ_AS)}."
                )
            try:
                values[name] = READ_AS[name](value)
            except ValueError:
                raise SettingsError(f"A forecast's {name} cannot be {value!r}.") from None
        return cls.from_dict(values)

    def __str__(self) -> str:
        written = []
        for name, value in self.to_dict().items():
            text = "+".join(map(str, value)) if name == "computed" else str(value)
            written.append(f"{name}={text}")
        return ",".join(written) or "what=nothing"


def _steps(text: str) -> tuple[int, ...]:
    return tuple(int(step) for step in text.split("+"))


def _switch(text: str) -> bool:
    if text not in ("True", "False", "true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


READ_AS: dict[str, Any] = {
    "what": str, "depth": int, "basis": str, "order": int, "clock": str,
    "computed": _steps, "interval": int, "first": int, "last": int, "threshold": float,
    "correct": _switch, "solver": str, "passes": int,
    "guidance_interval": int, "guidance_order": int, "guidance_from": float, "guidance_to": float,
}  # fmt: skip

EXACT = Forecast()
