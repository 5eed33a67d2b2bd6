"""When nobody speaks: prompt, prompt, farewell."""

from inference.protocol import SilenceElapsed, TurnTaking


class SilenceClock:
    """Counts silence of both sides. Held at zero for as long as anybody speaks, thinks or is still being heard."""

    def __init__(self, profile: TurnTaking, now: float) -> None:
        self._profile = profile
        self._since = now
        self._prompts = 0
        self._over = False

    def set_profile(self, profile: TurnTaking) -> None:
        self._profile = profile

    def hold(self, now: float) -> None:
        """Somebody has the floor: the silence has not begun."""
        self._since = now

    def restart(self, now: float) -> None:
        """The user did something: from the first prompt again."""
        self._since = now
        self._prompts = 0
        self._over = False

    def due_at(self) -> float | None:
        """When the next event is due if the silence lasts; None: never."""
        profile = self._profile
        if self._over or profile.silence_prompt_s == 0:
            return None
        if self._prompts < profile.silence_prompts:
            return self._since + profile.silence_prompt_s
        return self._since + profile.farewell_s if profile.farewell_s else None

    def elapsed(self, now: float) -> SilenceElapsed | None:
        """What is due at `now`, once."""
        due = self.due_at()
        if due is None or now < due:
            return None
        self._since = now
        if self._prompts < self._profile.silence_prompts:
            self._prompts += 1
            return SilenceElapsed("prompt", self._prompts)
        self._over = True
        return SilenceElapsed("farewell", self._prompts + 1)
