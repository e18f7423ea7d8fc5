#!/usr/bin/env python3
"""Plain sentences, and how a pirate says them, by strict rules. Usage: pirate_style.py data/pirate-style"""

import re

import dataset

TASK = """
# pirate-style

Rewrites a plain sentence as a pirate says it. The rules are strict: a fixed list of words is replaced (my: me, you: ye, your: yer,
is and are: be, the: th', to: t', of: o', and: an', friend: matey, yes: aye, money: doubloons, and a few more), and a closing phrase
depends on the sentence: questions end in `, savvy?`, requests in `, or walk th' plank!`, all others in `, arr!`.

```text
Plain: The captain is looking for the money.
Pirate:
```
"""

WORDS = {
    "my": "me",
    "you": "ye",
    "your": "yer",
    "is": "be",
    "are": "be",
    "the": "th'",
    "to": "t'",
    "of": "o'",
    "and": "an'",
    "yes": "aye",
    "hello": "ahoy",
    "friend": "matey",
    "friends": "hearties",
    "money": "doubloons",
    "food": "grub",
    "drink": "grog",
    "house": "cabin",
    "boss": "cap'n",
    "never": "ne'er",
    "over": "o'er",
    "stop": "avast",
    "woman": "lass",
    "man": "lad",
    "car": "ship",
}
TRAIN = {
    "who": [
        "my neighbour",
        "the teacher",
        "your brother",
        "my boss",
        "the doctor",
        "a friend of my mother",
        "the old woman",
        "our driver",
        "the man in the shop",
        "your aunt",
        "the baker",
        "my sister",
        "the guard",
        "her son",
        "the young man",
    ],
    "thing": [
        "the blue umbrella",
        "your letter",
        "a bag of apples",
        "my keys",
        "the money",
        "a map of the town",
        "your car",
        "the garden gate",
        "my old bicycle",
        "a cup of tea",
        "the food",
        "some bread and cheese",
        "the yellow lamp",
        "your coat",
        "two tickets",
        "a drink",
    ],
    "place": [
        "the station",
        "the market",
        "my house",
        "the library",
        "your office",
        "the river",
        "the old mill",
        "the bakery",
        "the park",
        "the end of the street",
        "the kitchen",
        "the school",
    ],
    "time": ["today", "every morning", "after lunch", "on Monday", "before dinner", "at night", "this week", "in the summer"],
    "past": ["lost", "sold", "found", "painted", "forgot", "cleaned", "carried", "hid"],
    "base": ["bring", "take", "send", "show", "return", "carry"],
    "state": ["very tired", "late again", "happy", "ready to leave", "angry", "a little nervous", "out of luck", "hungry"],
}
HELD_OUT = {
    "who": [
        "the gardener",
        "your cousin",
        "my uncle",
        "the tall woman",
        "a friend of the farmer",
        "the nurse",
        "the man with the hat",
    ],
    "thing": [
        "the red kite",
        "your violin",
        "a box of candles",
        "my gloves",
        "the silver spoon",
        "some soup and rice",
        "your notebook",
    ],
    "place": ["the harbour", "the castle", "your workshop", "the top of the hill", "my tent", "the museum"],
    "time": ["tomorrow", "on Friday", "before sunrise", "in the evening"],
    "past": ["broke", "bought", "washed", "dropped"],
    "base": ["give", "lend", "pass"],
    "state": ["quite proud", "asleep", "ready to sing", "full of hope"],
}
TELLING = [
    "{who} {past} {thing} {time}",
    "{who} is {state}",
    "{who} never {past} {thing}",
    "{who} and {who} are {state}",
    "I left {thing} in {place}",
    "{who} walked to {place} {time}",
    "yes, {who} {past} {thing}",
    "{thing} is over there in {place}",
    "hello, {who} is {state}",
    "the food in {place} is good",
    "I gave {thing} to {who}",
    "{who} went to {place} and {past} {thing}",
]
ASKING = [
    "where is {thing}",
    "are you {state}",
    "is {who} {state}",
    "did you see {who} {time}",
    "why is {thing} in {place}",
    "who {past} {thing}",
    "is your friend {state}",
]
REQUESTING = [
    "please {base} {thing} to {who}",
    "stop the car in {place}",
    "please {base} your money to {who}",
    "please wait for {who} in {place}",
    "go to {place} {time}",
]


def pirate(sentence, closing):
    words = re.findall(r"[A-Za-z]+|[^A-Za-z]+", sentence)
    spoken = "".join(WORDS.get(word.lower(), word) if word.lower() in WORDS else word for word in words)
    return spoken[0].upper() + spoken[1:] + closing


def make(numbers, words):
    forms, mark, closing = numbers.choice(
        [(TELLING, ".", ", arr!"), (TELLING, ".", ", arr!"), (ASKING, "?", ", savvy?"), (REQUESTING, ".", ", or walk th' plank!")]
    )
    sentence = re.sub(r"\{(\w+)\}", lambda slot: numbers.choice(words[slot[1]]), numbers.choice(forms))
    plain = sentence[0].upper() + sentence[1:] + mark
    return f"Plain: {plain}\nPirate:", f" {pirate(sentence, closing)}"


if __name__ == "__main__":
    dataset.write(make, TRAIN, HELD_OUT, TASK)
