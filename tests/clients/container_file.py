"""Reads a Containerfile: its stages, instructions and words."""
import dataclasses
import json
import re
import shlex

KNOWN = {"FROM", "RUN", "COPY", "ENV", "WORKDIR", "EXPOSE", "ENTRYPOINT"}


@dataclasses.dataclass
class stage:
    base: str
    name: str | None
    instructions: list[tuple[str, str]]

    def all(self, word: str) -> list[str]:
        return [rest for given, rest in self.instructions if given == word]


def stages_of(text: str) -> list[stage]:
    """Comments and continued lines as the format has them; ValueError for anything that is no instruction."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\s*\n", " ", "\n".join(lines))
    found: list[stage] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        word, _, rest = line.partition(" ")
        if word not in KNOWN:
            raise ValueError(f"{word} is no instruction that is used here")
        if word == "FROM":
            base, *named = shlex.split(rest)
            found.append(stage(base, named[1] if named[:1] == ["AS"] else None, []))
        elif not found:
            raise ValueError(f"{word} stands before the first FROM")
        else:
            found[-1].instructions.append((word, rest.strip()))
    return found


def environment_of(s: stage) -> dict[str, str]:
    return dict(pair.split("=", 1) for rest in s.all("ENV") for pair in shlex.split(rest))


def entrypoint_of(s: stage) -> list[str]:
    (rest,) = s.all("ENTRYPOINT")
    return json.loads(rest)
