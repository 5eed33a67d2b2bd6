"""What a mind needs around it: the character, and the voices and styles its lines may name."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from characters.cast_file import CastFile
from inference.protocol import StyleSpec, VoiceSpec


@dataclass(frozen=True, slots=True)
class Stage:
    """A character with the presets its marks, roles and chips name, by slug.

    A mark whose slug is missing here leaves the delivery as it was: the check of the library belongs to loading.
    """

    cast: CastFile
    styles: Mapping[str, StyleSpec] = field(default_factory=dict)
    voices: Mapping[str, VoiceSpec] = field(default_factory=dict)
