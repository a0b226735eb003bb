"""The development half of LFW: photographs of people whose hashed name is even; the others are never opened."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from synfiqa.schemas.errors import UserError
from synfiqa.schemas.seeds import derive_seed, generator


@dataclass(frozen=True)
class Photo:
    """One photograph and who it shows."""

    path: Path
    person: str


def in_development(name: str) -> bool:
    """Return whether SHA-1 of a person's name begins with an even hexadecimal digit."""
    return int(hashlib.sha1(name.encode()).hexdigest()[0], 16) % 2 == 0


def development_photos(folder: Path, people: int, each: int, seed: int) -> list[Photo]:
    """Return `each` photographs of so many people of the development half, drawn by the seed, in order of name.

    UserError when the folder, `<Name>/<Name>_0001.jpg` as LFW is laid out, has too few such people.
    """
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and in_development(entry.name))
    found = {name: sorted((folder / name).glob("*.jpg")) for name in names}
    enough = [name for name in names if len(found[name]) >= each]
    if len(enough) < people:
        raise UserError(f"{folder} has {len(enough)} people with {each} photographs, not {people}: take fewer")
    random = generator(derive_seed(seed, "development-half"))
    chosen = sorted(random.permutation(enough)[:people].tolist())
    return [
        Photo(found[name][at], name)
        for name in chosen
        for at in sorted(random.permutation(len(found[name]))[:each].tolist())
    ]
