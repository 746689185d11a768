"""The order of the apps, read from .importlinter so that it is written down once."""

import configparser
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[1]


def read_heights(path: pathlib.Path = ROOT / ".importlinter") -> dict[str, int]:
    """Return how high each app stands; apps on one line have the same height."""
    config = configparser.ConfigParser()
    config.read(path, encoding="utf-8")
    rows = config["importlinter:contract:one-way"]["layers"].split("\n")
    rows = [row for row in rows if row.strip()]
    return {
        name.strip(): len(rows) - index for index, row in enumerate(rows) for name in row.split("|")
    }
