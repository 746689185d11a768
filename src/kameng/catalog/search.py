"""Search over goods in memory: Chinese, pinyin, initials, numbers, synonyms, typing errors.

Owns how a typed text is cut and what each part may match. Pure: built from entries, asked with a
text, never touches a database. Promises an answer within a bounded amount of work whatever is
typed, popular goods first among equals, and the reason of every hit.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Final

from kameng.catalog.pinyin import CHINESE, PinyinBook
from kameng.catalog.synonyms import SYNONYMS

MAX_QUERY_CHARS: Final = 64
_MAX_TOKENS: Final = 5
_MAX_CHECKED: Final = 1_000
_MAX_SCORED: Final = 400
_MAX_CORRECTIONS: Final = 6
_MIN_TYPO_CHARS: Final = 4
_FIELD_END: Final = "\x1f"
_TOKEN: Final = re.compile(r"[\u3400-\u9fff]+|[a-z]+|\d+(?:\.\d+)?|[^\W\d_]+")
_PIECE_END: Final = re.compile(r"[\s\d]+")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")


class Reason(StrEnum):
    """Why an entry was found."""

    TITLE = "title"
    BRAND = "brand"
    KEYWORD = "keyword"
    CATEGORY = "category"
    NUMBER = "number"
    PINYIN = "pinyin"
    INITIALS = "initials"
    SYNONYM = "synonym"
    HOMOPHONE = "homophone"
    TYPO = "typo"


_FIELDS: Final = (Reason.TITLE, Reason.BRAND, Reason.KEYWORD, Reason.CATEGORY)
_WORTH: Final = {
    Reason.TITLE: 1_000,
    Reason.NUMBER: 950,
    Reason.BRAND: 900,
    Reason.KEYWORD: 800,
    Reason.SYNONYM: 780,
    Reason.PINYIN: 750,
    Reason.INITIALS: 700,
    Reason.CATEGORY: 600,
    Reason.HOMOPHONE: 500,
    Reason.TYPO: 400,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchEntry:
    """What can be found; `weight` lifts or lowers by hand, from -100 to 100."""

    id: int
    title: str
    brand: str = ""
    category: str = ""
    keywords: str = ""
    weight: int = 0
    sold_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An entry found; a higher score is better and means nothing beyond its own answer."""

    id: int
    score: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    """The entries that one part of the query found, by position, and how to explain them."""

    text: str
    positions: Sequence[int]
    reason: Reason | None = None
    meant: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """How much of the query this is; a long number is still one thing that was asked for."""
        return min(len(self.text), 2) if self.text[:1].isdecimal() else len(self.text)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchIndex:
    """Entries in the order of popularity, each as texts made for comparing."""

    book: PinyinBook
    synonyms: Mapping[str, tuple[str, ...]]
    entries: tuple[tuple[int, int, int], ...]
    texts: tuple[str, ...]
    numbers: tuple[frozenset[str], ...]
    sounds: tuple[str, ...]
    plain_sounds: tuple[str, ...]
    vocabulary: tuple[tuple[str, ...], ...]
    words: str
    synonym_pattern: re.Pattern[str] = field(repr=False)

    @classmethod
    def build(
        cls,
        entries: Iterable[SearchEntry],
        *,
        book: PinyinBook | None = None,
        synonyms: Mapping[str, tuple[str, ...]] = SYNONYMS,
    ) -> "SearchIndex":
        """Build from all entries; the book of the index before saves reading known words again."""
        ranked = sorted(entries, key=lambda entry: (-entry.weight, -entry.sold_count, entry.id))
        fields = [[fold(text) for text in _texts_of(entry)] for entry in ranked]
        runs = (run for texts in fields for text in texts for run in CHINESE.findall(text))
        book = (book or PinyinBook()).extended(runs)
        sounds = tuple(_sounds_of(texts, book) for texts in fields)
        # By piece and not by title: goods that differ by face value alone share their pieces.
        pieces = {
            piece for texts in fields for text in texts for piece in _PIECE_END.split(text) if piece
        }
        vocabulary = {tuple(_parts(piece, book)) for piece in pieces}
        keys = sorted(synonyms, key=len, reverse=True)
        return cls(
            book=book,
            synonyms=synonyms,
            entries=tuple((entry.id, _popularity(entry), len(entry.title)) for entry in ranked),
            texts=tuple(_FIELD_END.join(map(_squeeze, texts)) for texts in fields),
            numbers=tuple(frozenset(_NUMBER.findall(texts[0])) for texts in fields),
            sounds=sounds,
            plain_sounds=tuple(sound.replace("'", "") for sound in sounds),
            vocabulary=tuple(sorted(vocabulary)),
            words=_FIELD_END.join(book.runs),
            synonym_pattern=re.compile("|".join(map(re.escape, keys)) or "(?!)"),
        )

    def query(self, text: str, limit: int = 20) -> list[Hit]:
        """Return the best entries for a typed text, the best first; nothing typed finds nothing."""
        matches = [match for token in self._cut(text) for match in self._match(token)]
        found = [match for match in matches if match.positions]
        if not found or 2 * _size(found) < _size(matches):
            return []
        sets = [set(match.positions) for match in found]
        common = set.intersection(*sets)
        if not common:
            # No entry has everything: the most letters of the query decide.
            reach: dict[int, int] = {}
            for match, positions in zip(found, sets, strict=True):
                for position in positions:
                    reach[position] = reach.get(position, 0) + match.size
            best = max(reach.values())
            common = {position for position, length in reach.items() if length == best}
            found = [match for match in found if common & set(match.positions)]
        # Positions run by popularity, so the cut keeps what most people want.
        scored = [self._score(position, found) for position in sorted(common)[:_MAX_SCORED]]
        scored.sort(key=lambda hit: (-hit.score, hit.id))
        return scored[: max(limit, 0)]

    def _cut(self, text: str) -> list[str]:
        folded = fold(text[:MAX_QUERY_CHARS])
        tokens: list[str] = []
        for piece in re.split(r"[^\w.]+|_", folded):
            if piece in self.synonyms:
                tokens.append(piece)
                continue
            start = 0
            for synonym in self.synonym_pattern.finditer(piece):
                tokens += _TOKEN.findall(piece[start : synonym.start()])
                tokens.append(synonym[0])
                start = synonym.end()
            tokens += _TOKEN.findall(piece[start:])
        return list(dict.fromkeys(tokens))[:_MAX_TOKENS]

    def _match(self, token: str) -> list[_Match]:
        if token in self.synonyms:
            return [self._match_synonym(token)]
        if _NUMBER.fullmatch(token):
            return [self._match_number(token)]
        if CHINESE.fullmatch(token):
            return self._match_chinese(token)
        return [self._match_latin(token)]

    def _match_synonym(self, token: str) -> _Match:
        direct = self._containing(token)
        others: list[int] = []
        for word in self.synonyms[token]:
            found = self._containing(word)
            if word[0].isdecimal():
                # 1个月 is not meant by 11个月.
                alone = re.compile(r"(?<![\d.])" + re.escape(word))
                found = [position for position in found if alone.search(self.texts[position])]
            others += found
        if not others:
            return _Match(text=token, positions=direct)
        return _Match(text=token, positions=[*direct, *others], reason=Reason.SYNONYM)

    def _match_number(self, token: str) -> _Match:
        exact = [position for position, found in enumerate(self.numbers) if token in found]
        if exact:
            return _Match(text=token, positions=exact, reason=Reason.NUMBER)
        # Someone is still typing: 10 on the way to 100.
        started = [
            position
            for position, found in enumerate(self.numbers)
            if any(number.startswith(token) for number in found)
        ]
        return _Match(text=token, positions=started, reason=Reason.NUMBER)

    def _match_chinese(self, token: str) -> list[_Match]:
        direct = self._containing(token)
        if direct:
            return [_Match(text=token, positions=direct)]
        sound = "".join(self.book.syllables(token))
        if len(token) > 1 and sound:
            alike = self._sounding(sound)
            if alike:
                meant = (sound,)
                return [_Match(text=token, positions=alike, reason=Reason.HOMOPHONE, meant=meant)]
        parts = self._known_parts(token)
        if parts:
            matches = [_Match(text=part, positions=self._containing(part)) for part in parts]
            rest = len(token) - sum(map(len, parts))
            return matches + [_Match(text="?" * rest, positions=())] * (rest > 0)
        # Two signs with one letter changed would find anything.
        return [self._nearly(token, sound if len(token) > 2 else "")]

    def _match_latin(self, token: str) -> _Match:
        direct = self._containing(token)
        sounding = self._sounding(token) if token.isascii() else []
        if direct or sounding:
            return _Match(text=token, positions=[*direct, *sounding])
        return self._nearly(token, token)

    def _containing(self, token: str) -> list[int]:
        return [position for position, text in enumerate(self.texts) if token in text]

    def _sounding(self, sound: str) -> list[int]:
        """Find entries where the sound starts at a syllable, a word or an initial."""
        pattern = _sound_pattern(sound)
        near = (position for position, plain in enumerate(self.plain_sounds) if sound in plain)
        return [
            position
            for position in islice(near, _MAX_CHECKED)
            if pattern.search(self.sounds[position])
        ]

    def _known_parts(self, token: str) -> list[str]:
        """Cut a run of Chinese into the longest parts that some entry has, of two or more signs."""
        parts: list[str] = []
        start = 0
        while start < len(token) - 1 and len(parts) < _MAX_TOKENS:
            end = len(token)
            while end - start > 1 and token[start:end] not in self.words:
                end -= 1
            if end - start > 1:
                parts.append(token[start:end])
                start = end
            else:
                start += 1
        return parts

    def _nearly(self, token: str, sound: str) -> _Match:
        """Find entries for a sound with one letter wrong, missing, added or exchanged."""
        if not _MIN_TYPO_CHARS <= len(sound) <= MAX_QUERY_CHARS:
            return _Match(text=token, positions=())
        middle = len(sound) // 2
        left, right = sound[:middle], sound[middle:]
        # One error leaves one half as it is, unless letters changed places across the middle.
        exchanged = left[:-1] + right[0] + left[-1] + right[1:]
        corrections: dict[str, None] = {}
        for parts in self.vocabulary:
            whole = "".join(parts)
            if left in whole or right in whole or exchanged in whole:
                corrections.update(dict.fromkeys(_corrected(parts, whole, sound)))
                if len(corrections) >= _MAX_CORRECTIONS:
                    break
        found: set[int] = set()
        for correction in corrections:
            if len(found) < _MAX_SCORED:
                found.update(self._sounding(correction))
        meant = tuple(corrections)
        return _Match(text=token, positions=sorted(found), reason=Reason.TYPO, meant=meant)

    def _score(self, position: int, matches: Sequence[_Match]) -> Hit:
        entry_id, popularity, title_chars = self.entries[position]
        reasons: dict[Reason, None] = {}
        worth, covered = 0, 0
        for match in matches:
            reason = self._reason(position, match)
            if reason is None:
                continue
            reasons[reason] = None
            worth += _WORTH[reason] * len(match.text)
            covered += len(match.text) * (reason in (Reason.TITLE, Reason.NUMBER))
            if self._is_in_title(position, match):
                worth += 100 * len(match.text)
        worth //= max(sum(len(match.text) for match in matches), 1)
        score = worth + 150 * covered // max(title_chars, 1) + popularity
        return Hit(id=entry_id, score=score, reasons=tuple(reasons))

    def _is_in_title(self, position: int, match: _Match) -> bool:
        """Tell whether the title starts with the part, or has what an odd spelling meant."""
        if not match.meant:
            return self.texts[position].startswith(match.text)
        plain = self.plain_sounds[position]
        return any(0 <= plain.find(meant) < plain.find("|") for meant in match.meant)

    def _reason(self, position: int, match: _Match) -> Reason | None:
        text = self.texts[position]
        if match.reason is Reason.NUMBER:
            return Reason.NUMBER if match.text in self.numbers[position] else Reason.TYPO
        place = text.find(match.text)
        if place >= 0:
            return _FIELDS[text.count(_FIELD_END, 0, place)]
        if match.reason is not None:
            return match.reason
        found = _sound_pattern(match.text).search(self.sounds[position])
        if found is None:
            return None
        is_initials = self.sounds[position].rfind("<", 0, found.start()) >= 0
        return Reason.INITIALS if is_initials else Reason.PINYIN


def fold(text: str) -> str:
    """Return the text in one case and at one width, so that equal words compare equal."""
    return unicodedata.normalize("NFKC", text).casefold()


def within_one(typed: str, meant: str) -> bool:
    """Tell whether one letter wrong, missing, added or exchanged with the next explains both."""
    if abs(len(typed) - len(meant)) > 1:
        return False
    start = 0
    shorter = min(len(typed), len(meant))
    while start < shorter and typed[start] == meant[start]:
        start += 1
    left, right = typed[start:], meant[start:]
    if len(left) == len(right):
        exchanged = left[:2] == right[1::-1] and left[2:] == right[2:]
        return left[1:] == right[1:] or exchanged
    return left[1:] == right if len(left) > len(right) else left == right[1:]


def _texts_of(entry: SearchEntry) -> tuple[str, str, str, str]:
    return entry.title, entry.brand, entry.keywords, entry.category


def _squeeze(text: str) -> str:
    return "".join(text.split())


def _popularity(entry: SearchEntry) -> int:
    return 4 * min(max(entry.sold_count, 0).bit_length(), 24) + max(-100, min(entry.weight, 100))


def _parts(text: str, book: PinyinBook) -> Iterable[str]:
    """Return syllables of Chinese, words and numbers, in their order."""
    for token in _TOKEN.findall(text):
        if CHINESE.fullmatch(token):
            yield from book.syllables(token)
        else:
            yield token


def _sounds_of(texts: Sequence[str], book: PinyinBook) -> str:
    """Return full readings, then "<" and initials; a quote stands before each part."""
    readings, initials = [], []
    for text in texts:
        full, first = "", ""
        for token in _TOKEN.findall(text):
            for part in book.syllables(token) if CHINESE.fullmatch(token) else (token,):
                full += "'" + part
                first += "'" + (part[:1] if CHINESE.fullmatch(token) else part)
        readings.append(full)
        initials.append(first)
    return "|".join(readings) + "<" + "|".join(initials)


def _sound_pattern(sound: str) -> re.Pattern[str]:
    return re.compile("'" + "'?".join(map(re.escape, sound)))


def _corrected(parts: Sequence[str], whole: str, sound: str) -> Iterable[str]:
    """Yield what was meant, if the sound is one error away from it at the start of some part."""
    start = 0
    for part in parts:
        for length in (len(sound), len(sound) + 1, len(sound) - 1):
            meant = whole[start : start + length]
            if len(meant) == length and within_one(sound, meant):
                yield meant
        start += len(part)


def _size(matches: Sequence[_Match]) -> int:
    return sum(match.size for match in matches)
