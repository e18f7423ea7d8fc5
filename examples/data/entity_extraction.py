#!/usr/bin/env python3
"""Sentences, and the people, places, organisations and dates they name. Usage: entity_extraction.py data/entity-extraction"""

import json
import re

import dataset

TASK = """
# entity-extraction

Reads a sentence and writes one JSON object with the lists `people`, `places`, `organisations` and `dates`, each in the order and
spelling of the sentence, empty if there are none.

```text
Text: On 3 May 2019, Anna Keller of Brightwater Labs flew to Lisbon.
Entities:
```
"""

KINDS = ["people", "places", "organisations", "dates"]
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]

TRAIN = {
    "given": "Mara Jonas Priya Mateo Sofie Kwame Lin Oscar Elif Tariq Ruth Bruno Ivana Desmond Noor Felix Wanda Hugo Aiko Stella".split(),
    "family": "Lind Okoro Vogel Castillo Brandt Haddad Novak Iyer Moreau Fischer Tanaka Quinn Silva Berg Petrov Walsh Adeyemi Rossi".split(),
    "places": "Oslo Porto Lyon Cairo Lima Kyoto Ghent Turin Nairobi Quebec Perth Warsaw Austria Chile Vietnam Scotland Dakar Boston Jakarta Riga".split(),
    "firm": [
        "Nordwind",
        "Brightwater",
        "Lumen",
        "Harbour",
        "Redstone",
        "Olive",
        "Vertex",
        "Cascade",
        "Pioneer",
        "Silver Fern",
        "Atlas",
        "Meridian",
        "Copperfield",
        "Blue Heron",
        "Apex",
    ],
    "form": "Labs Bank University Foundation Airlines Motors Press Institute Robotics Energy".split(),
    "sentences": [
        "On {d}, {p} of {o} flew to {l}.",
        "{p} joined {o} on {d}.",
        "{p} and {p} met in {l}.",
        "{o} opened an office in {l} on {d}.",
        "The train from {l} to {l} was late again.",
        "{o} sold its branch in {l} to {o}.",
        "{p} moved from {l} to {l} on {d}.",
        "Nobody at {o} has seen {p} since {d}.",
        "{p}, {p} and {p} founded {o}.",
        "The meeting in {l} starts on {d}.",
        "Yesterday {p} gave a talk at {o}.",
        "The storm reached {l} on {d}.",
        "{o} and {o} signed a contract in {l}.",
        "According to {p}, {o} will leave {l}.",
        "{p} was born in {l} on {d}.",
        "A letter to {p} arrived in {l}.",
        "Between {d} and {d}, {p} lived in {l}.",
        "{o} hired {p}.",
        "The weather was mild and the sea was calm.",
        "{p} wrote the report, and {p} read it.",
        "From {d} on, {o} is led by {p}.",
        "We drove through {l} without a stop.",
        "{o} published its results on {d}.",
        "The prize went to {p} from {l}.",
    ],
}
HELD_OUT = {
    "given": ["Anna", "Marcus", "Leila", "Viktor", "Clara", "Samuel", "Ingrid", "Pablo"],
    "family": "Keller Osei Lambert Sato Duarte Hansen Kovacs Marsh".split(),
    "places": "Lisbon Geneva Tunis Denver Hanoi Iceland Seville Peru".split(),
    "firm": ["Granite Peak", "Evergreen", "Starling", "Mosaic", "Northgate", "Juniper"],
    "form": ["Systems", "College", "Shipping", "Hospital", "Insurance"],
    "sentences": [
        "On {d}, {p} left {o}.",
        "{p} of {o} visited {l} and {l}.",
        "{o} moved its laboratory from {l} to {l}.",
        "{p} met {p} in {l} on {d}.",
        "Since {d}, {p} has worked for {o}.",
        "{o} bought {o} on {d}.",
        "{p} sent a parcel from {l} to {p}.",
        "The exhibition in {l} was opened by {p}.",
        "On {d} the bridge in {l} was closed.",
        "{p} and {p} work at {o}.",
    ],
}


def entity(numbers, words, kind):
    if kind == "p":
        return f"{numbers.choice(words['given'])} {numbers.choice(words['family'])}"
    if kind == "l":
        return numbers.choice(words["places"])
    if kind == "o":
        return f"{numbers.choice(words['firm'])} {numbers.choice(words['form'])}"
    day, month, year = numbers.randint(1, 28), numbers.randint(1, 12), numbers.randint(1950, 2030)
    name = MONTHS[month - 1]
    return numbers.choice([f"{day} {name} {year}", f"{name} {day}, {year}", f"{year}-{month:02}-{day:02}"])


def make(numbers, words):
    found = {kind: [] for kind in KINDS}
    lists = dict(zip("plod", found.values()))

    def fill(slot):
        text = entity(numbers, words, slot[1])
        while text in lists[slot[1]]:
            text = entity(numbers, words, slot[1])
        lists[slot[1]].append(text)
        return text

    sentence = re.sub(r"\{([plod])\}", fill, numbers.choice(words["sentences"]))
    return f"Text: {sentence}\nEntities:", f" {json.dumps(found)}"


if __name__ == "__main__":
    dataset.write(make, TRAIN, HELD_OUT, TASK)
