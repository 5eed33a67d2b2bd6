"""The library file, `voices/library.yaml`: voices and style presets as data."""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voices.timbre import TIMBRE

LIBRARY_PATH = Path(__file__).with_name("library.yaml")
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=50)]


class LibraryError(ValueError):
    """The file cannot be used; the message names the place and the mistake."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bilingual(_Strict):
    en: str
    zh: str = ""


class VoiceEntry(_Strict):
    slug: Slug
    title: Bilingual
    description: Bilingual = Bilingual(en="")
    language: str = "en-us"
    gender: Literal["female", "male", "neutral"] = "neutral"
    age: Literal["child", "young", "adult", "old"] = "adult"
    tags: list[str] = []
    variant: str = ""
    timbre: str = Field("", pattern=rf"^$|{TIMBRE}", max_length=80)
    pitch_hz: float = Field(120, ge=50, le=500)
    pitch_range: float = Field(1, ge=0, le=3)
    words_per_minute: float = Field(165, ge=60, le=400)
    formant_ratio: float = Field(1, ge=0.7, le=1.4)


class StyleEntry(_Strict):
    slug: Slug
    title: Bilingual
    rate: float = Field(1, ge=0.5, le=2)
    pitch_semitones: float = Field(0, ge=-12, le=12)
    pitch_range: float = Field(1, ge=0, le=3)
    level_db: float = Field(0, ge=-30, le=9)
    whisper: float = Field(0, ge=0, le=1)
    pause_scale: float = Field(1, ge=0.25, le=4)
    instruction: str = ""


class Library(_Strict):
    voices: list[VoiceEntry]
    styles: list[StyleEntry]


def read_library(path: Path = LIBRARY_PATH) -> Library:
    """The checked file. Raises `LibraryError` naming every mistake at its place."""
    try:
        library = Library.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise LibraryError(f"{path.name}: {error}") from error
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())
        raise LibraryError(f"{path.name}: {places}") from error
    for kind, slugs in (("voice", [v.slug for v in library.voices]), ("style", [s.slug for s in library.styles])):
        twice = sorted({slug for slug in slugs if slugs.count(slug) > 1})
        if twice:
            raise LibraryError(f"{path.name}: the {kind} {twice[0]!r} stands there twice; rename one")
    return library
