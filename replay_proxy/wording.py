"""Counts, sizes and durations as a person writes them: `1 call`, `2 calls`, `1.8 s`. Used by every message."""

from __future__ import annotations


def counted(count: int, noun: str, verbs: str = "") -> str:
    """Return a count with its noun in the right number: `1 call`, `2 calls`.

    noun: in the singular; of several words the last one takes the plural (`large body`). verbs: the verb for one and for
    many (`was were`), which follows.
    """
    words = f"{count} {noun if count == 1 else _plural(noun)}"
    return f"{words} {_agreeing(count, verbs)}" if verbs else words


def _agreeing(count: int, verbs: str) -> str:
    one, _blank, many = verbs.partition(" ")
    return one if count == 1 else many


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def size(size_bytes: int) -> str:
    """Return a number of bytes in words: whole up to 10 KiB, then with three digits at most."""
    if size_bytes < 10 * 1024:
        return counted(size_bytes, "byte")
    number = float(size_bytes)
    for unit in ("KiB", "MiB", "GiB"):
        number /= 1024
        if number < 1000 or unit == "GiB":
            break
    return f"{number:.0f} {unit}" if number >= 10 else f"{number:.1f} {unit}"


def duration(duration_s: float) -> str:
    """Return a duration in words, with about two digits: `0.04 s`, `1.8 s`, `12 s`, `2 min 5 s`, `1 h 10 min`."""
    if duration_s < 9.95:
        return f"{float(f'{duration_s:.2g}'):g} s"
    whole = round(duration_s)
    if whole < 60:
        return f"{whole} s"
    minutes, seconds = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
