"""Makes the bundled dictionary and the model of letters: `python -m inference.training.lexicon`.

From CMUDICT 0.4 as Debian's package festlex-cmu installs it (Festival's form: syllables with stress, parts of speech).
With `--measure` it learns from nine tenths of the words instead and reports how well they say the others.
"""

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from inference.pronunciation.lexicon import LETTERS_FILE, LEXICON_FILE, Entries, Lexicon, write_entries
from inference.pronunciation.phones import STRESS, Phones, is_vowel
from inference.pronunciation.spelling import Spelling
from inference.training.letter_units import learn_letter_model

_SOURCE = Path("/usr/share/festival/dicts/cmu/cmudict-0.4.out")
_ENTRY = re.compile(r'\("([^"]+)" (\S+) \((.*)\)\)')
_SYLLABLE = re.compile(r"\(\(([^()]*)\) ?(\d)\)")
_PARTS = {"nil": "", "dt": "", "n": "n", "v": "v", "j": "j"}
_USUAL_FIRST = ("", "n", "j", "v")
_EVERY = 10


def parse(lines: Sequence[str]) -> dict[str, dict[str, Phones]]:
    """Lower-case words to their phones by part of speech. Raises `ValueError` when nothing can be read."""
    words: dict[str, dict[str, Phones]] = defaultdict(dict)
    for line in lines:
        found = _ENTRY.fullmatch(line.strip())
        if found and found[2] in _PARTS and (phones := _phones(found[3])):
            words[found[1].lower()].setdefault(_PARTS[found[2]], phones)
    if not words:
        raise ValueError("no entries: is this a compiled lexicon of festival?")
    return dict(words)


def _phones(syllables: str) -> Phones:
    return tuple(
        phone + STRESS if stress != "0" and is_vowel(phone) else phone
        for phones, stress in _SYLLABLE.findall(syllables)
        for phone in phones.split()
    )


def entries_of(words: Mapping[str, Mapping[str, Phones]]) -> Entries:
    """The usual way under the word, others under `word/part`."""
    entries: Entries = {}
    for word, ways in words.items():
        usual = next(part for part in _USUAL_FIRST if part in ways)
        entries[word] = " ".join(ways[usual])
        for part, phones in ways.items():
            if phones != ways[usual]:
                entries[f"{word}/{part}"] = " ".join(phones)
    return entries


def _teaching(entries: Entries) -> list[tuple[str, Phones]]:
    return [(word, tuple(phones.split())) for word, phones in sorted(entries.items()) if word.isalpha()]


def measure(entries: Entries) -> str:
    """Accuracy on every tenth word, of the letters alone and of them after forms and compounds of the other words."""
    words = sorted(word for word in entries if word.isalpha())
    unheard = {word: tuple(entries[word].split()) for word in words[::_EVERY]}
    others = {word: phones for word, phones in entries.items() if word.split("/")[0] not in unheard}
    letters, _ = learn_letter_model(_teaching(others))
    ways: dict[str, Callable[[str], Phones]] = {
        "letters alone": letters.phones,
        "forms, compounds, letters": Spelling(Lexicon(others), letters).phones,
    }
    return "\n".join(f"{name}: {_accuracy(unheard, say)}" for name, say in ways.items())


def _accuracy(truth: Mapping[str, Phones], say: Callable[[str], Phones]) -> str:
    figures = []
    for is_stress_counted in (True, False):
        right = wrong_phones = phones = 0
        for word, expected in truth.items():
            said = say(word)
            pair = (said, expected) if is_stress_counted else (_unstressed(said), _unstressed(expected))
            right += pair[0] == pair[1]
            wrong_phones += edit_distance(*pair)
            phones += len(expected)
        kind = "with stress" if is_stress_counted else "without"
        figures.append(f"{kind} words {right / len(truth):.1%}, phones {1 - wrong_phones / phones:.1%}")
    return f"{'; '.join(figures)} ({len(truth)} words)"


def _unstressed(phones: Phones) -> Phones:
    return tuple(phone.removesuffix(STRESS) for phone in phones)


def edit_distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Insertions, deletions and substitutions (Levenshtein)."""
    row = list(range(len(second) + 1))
    for index, left in enumerate(first, start=1):
        diagonal, row[0] = row[0], index
        for at, right in enumerate(second, start=1):
            diagonal, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, diagonal + (left != right))
    return row[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, default=_SOURCE, help="the compiled lexicon of festival")
    parser.add_argument("--measure", action="store_true", help="report accuracy on a held-out tenth, write nothing")
    options = parser.parse_args()
    try:
        entries = entries_of(parse(options.source.read_text(encoding="utf-8").splitlines()))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{options.source}: {error}; on Debian: apt install festlex-cmu\n")
        return 1
    if options.measure:
        sys.stdout.write(measure(entries) + "\n")
        return 0
    write_entries(entries, LEXICON_FILE)
    letters, units = learn_letter_model(_teaching(entries))
    letters.save(LETTERS_FILE, units)
    return 0


if __name__ == "__main__":
    sys.exit(main())
