"""What is wrong with a line, a cell or a file, said as a code and its parameters.

Parsers know no language and no framework: each owns a table from code to a Chinese sentence with
%(named)s places. The sentence is looked up, translated and filled in where a person reads it.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to explain; `code` is stable and a key of some table of texts."""

    code: str
    params: dict[str, object] = field(default_factory=dict)

    def text(self, texts: dict[str, str]) -> str:
        """Return the sentence of `texts` for this problem, its places filled in."""
        return texts[self.code] % self.params


def gettext_noop(message: str) -> str:
    """Mark a sentence for the catalogue of translations and return it as it is."""
    return message
