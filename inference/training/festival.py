"""The teacher festival, in batches through its command line: sentences spoken with the times of phones and words.

festival (Centre for Speech Technology Research, Edinburgh, BSD-like licence) starts slowly, so many sentences go
through one process.
"""

import subprocess
import tempfile
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.training.teaching import Phone, SpokenSentence, TeacherFailed, TeacherMissing

_DEFINITIONS = """
(define (troupe_segment seg)
  (let ((syl (item.relation seg "SylStructure")))
    (format t "%s %s %s %s %f\\n" (item.name seg)
      (if (item.parent syl) (item.feat seg "R:SylStructure.parent.stress") "0")
      (if (item.parent syl) (item.feat seg "R:SylStructure.parent.parent.name") "-")
      (if (item.parent syl) (item.feat seg "R:SylStructure.parent.parent.word_end") "0")
      (item.feat seg "end"))))
(define (troupe_speak text wav)
  (let ((utt (utt.synth (eval (list 'Utterance 'Text text)))))
    (format t "== %s\\n" wav)
    (mapcar troupe_segment (utt.relation.items utt 'Segment))
    (utt.save.wave utt wav 'riff)))
"""
_TIMEOUT_S = 600.0


def speak_all(voice: str, sentences: Sequence[str]) -> Iterator[SpokenSentence]:
    """Each sentence in the festival voice `voice`, such as `cmu_us_slt_arctic_hts`.

    Raises `TeacherMissing` when festival or the voice is not installed, `TeacherFailed` when it does not finish.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [_DEFINITIONS, f"(voice_{voice})"]
        for number, text in enumerate(sentences):
            quoted = text.replace("\\", " ").replace('"', " ")
            lines.append(f'(troupe_speak "{quoted}" "{folder / f"{number}.wav"}")')
        script = folder / "speak.scm"
        script.write_text("\n".join(lines))
        blocks = _run(script, voice).split("== ")[1:]
        if len(blocks) != len(sentences):
            raise TeacherFailed(f"festival spoke {len(blocks)} of {len(sentences)} sentences as {voice}")
        for text, block in zip(sentences, blocks, strict=True):
            wav, *rows = block.strip().split("\n")
            pcm, rate = _read(Path(wav))
            yield SpokenSentence(text, pcm, rate, tuple(_phones(rows)))


def _run(script: Path, voice: str) -> str:
    """What festival printed."""
    try:
        done = subprocess.run(
            ["festival", "--batch", str(script)], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except FileNotFoundError as error:
        raise TeacherMissing("festival is not installed; on Debian: apt install festival") from error
    except subprocess.TimeoutExpired as error:
        raise TeacherFailed(f"festival did not finish within {_TIMEOUT_S:.0f} s as {voice}") from error
    if done.returncode:
        raise TeacherMissing(
            f"festival cannot speak as {voice}: {done.stderr.strip()[:300]}; "
            "on Debian: apt install festvox-us-slt-hts festvox-kdlpc16k"
        )
    return done.stdout


def _read(path: Path) -> tuple[NDArray[np.float32], int]:
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        return samples.astype(np.float32) / np.float32(32768), file.getframerate()


def _phones(rows: Sequence[str]) -> Iterator[Phone]:
    start, last = 0.0, ("-", "0")
    for row in rows:
        name, stress, word, word_end, end = row.split()
        spoken = word != "-"
        begins = spoken and (word, word_end) != last
        yield Phone(name, stress == "1", begins, word if spoken else "", start, float(end))
        start, last = float(end), (word, word_end)
