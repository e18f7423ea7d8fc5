#!/usr/bin/env python3
"""Support tickets, and the JSON object a desk routes them by. Usage: ticket_triage.py data/ticket-triage"""

import json

import dataset

TASK = """
# ticket-triage

Reads a support ticket and writes one JSON object: `category` is billing, account, bug, performance, shipping or feature; `priority`
is high if the writer is blocked or presses, low if it can wait, normal otherwise; `product` is the product as the ticket names it.

```text
Ticket: Hello, Kestrel Notes charged me twice this month. Please answer today.
JSON:
```
"""

TRAIN = {
    "first": "Nimbus Quill Harbor Falcon Ember Willow Cobalt Juniper Onyx Saffron Delta Mosaic Raven Atlas Copper Lumen Birch Comet Velvet Pixel".split(),
    "second": "Sync Notes Mail Board Vault Chat Desk Player Router Lamp Camera Watch Planner Studio Scanner".split(),
    "writer": "Anna Jonas Priya Mateo Sofie Kwame Lin Oscar Elif Tariq".split(),
    "billing": [
        "{p} charged me twice this month",
        "the invoice for {p} shows the wrong address",
        "I still pay for {p} although I cancelled it",
        "my card was declined when I renewed {p}",
        "I need a receipt for my {p} subscription",
        "the price of {p} went up without notice",
        "please refund my last payment for {p}",
        "the discount code for {p} was not applied to my bill",
        "you took 49 euros for {p} from my account",
        "the VAT number is missing on the {p} invoice",
        "I was billed for five seats of {p} instead of two",
        "I paid for {p} but the order says unpaid",
    ],
    "account": [
        "I cannot sign in to {p}",
        "{p} does not accept my password",
        "the reset link for {p} never arrives",
        "my {p} account is locked",
        "please change the email address of my {p} account",
        "I lost the phone with the login codes for {p}",
        "{p} says that my user does not exist",
        "how do I delete my {p} account",
        "a colleague left and still has access to {p}",
        "I want to merge my two {p} accounts",
        "two-factor login to {p} fails",
        "{p} logs me out and rejects my code",
    ],
    "bug": [
        "{p} crashes when I open a file",
        "{p} shows an error after the update",
        "the save button in {p} does nothing",
        "{p} prints blank pages",
        "dates in {p} are off by one day",
        "{p} deletes the last line of every text",
        "search in {p} finds nothing since yesterday",
        "{p} freezes with a black screen",
        "the menu of {p} is empty",
        "exported files from {p} are broken",
        "{p} quits with code 139",
        "pictures in {p} appear upside down",
    ],
    "performance": [
        "{p} is very slow today",
        "it takes a minute to open {p}",
        "{p} uses all the memory of my laptop",
        "pages in {p} load for ages",
        "the fan gets loud whenever {p} runs",
        "{p} drains my battery in an hour",
        "typing in {p} lags behind",
        "uploads with {p} crawl",
        "{p} needs ten seconds for every click",
        "since the update {p} is twice as slow",
        "{p} keeps the processor at 100 percent",
        "scrolling in {p} stutters",
    ],
    "shipping": [
        "my {p} has not arrived yet",
        "the parcel with {p} came damaged",
        "I got a {p} in the wrong colour",
        "the tracking number of my {p} does not work",
        "please send the {p} to my office instead",
        "the courier left {p} with a stranger",
        "when will my {p} be delivered",
        "the box of my {p} was empty",
        "my {p} was sent to my old address",
        "customs holds my {p}",
        "only one of two {p} units was in the parcel",
        "I want to return the {p} I received",
    ],
    "feature": [
        "could you add a dark mode to {p}",
        "I wish {p} had keyboard shortcuts",
        "please support Spanish in {p}",
        "it would be great if {p} worked offline",
        "can {p} get an export to spreadsheets",
        "I would love a calendar view in {p}",
        "we miss a bulk edit in {p}",
        "an undo function would help in {p}",
        "please let us rename folders in {p}",
        "are you planning a tablet version of {p}",
        "a way to share lists from {p} would be nice",
        "I suggest larger fonts for {p}",
    ],
    "high": [
        "This is urgent.",
        "Our whole team is blocked.",
        "We cannot work at all.",
        "Please answer today.",
        "I have a deadline in two hours.",
        "Customers are already complaining.",
        "This must be fixed immediately.",
        "Please help as soon as possible.",
    ],
    "low": [
        "No hurry.",
        "It can wait.",
        "This is not important.",
        "Whenever you have time.",
        "It is only a small thing.",
        "There is no rush at all.",
        "Just a minor point.",
        "Next month is fine too.",
    ],
}
HELD_OUT = {
    "first": "Kestrel Maple Zephyr Indigo Tundra Orchid Granite Echo".split(),
    "second": ["Reader", "Drive", "Speaker", "Ledger", "Charger", "Forms"],
    "writer": ["Greta", "Idris", "Paula", "Chen", "Moritz"],
    "billing": [
        "I was charged for {p} after my trial ended",
        "the amount on the {p} bill is wrong",
        "please send the invoice for {p} again",
        "I want my money back for {p}",
    ],
    "account": [
        "I forgot my password for {p}",
        "I am locked out of {p}",
        "the login page of {p} rejects my password",
        "please remove a former employee from our {p} account",
    ],
    "bug": [
        "{p} crashes as soon as I start it",
        "{p} shows an error when I save",
        "the print button in {p} does nothing",
        "{p} loses the first line of my notes",
    ],
    "performance": [
        "{p} has become extremely slow",
        "it takes two minutes to start {p}",
        "{p} eats up all my memory",
        "every click in {p} takes ages",
    ],
    "shipping": [
        "my {p} never arrived",
        "the {p} was damaged in the mail",
        "the parcel with my {p} is lost",
        "where is the {p} I ordered",
    ],
    "feature": [
        "could you add a search box to {p}",
        "I wish {p} could read files aloud",
        "please support Italian in {p}",
        "it would be nice if {p} had templates",
    ],
    "high": ["This is really urgent.", "Nobody here can work.", "Please fix this immediately.", "We need an answer today."],
    "low": ["There is no hurry.", "It is not important at all.", "It can wait until next week.", "Only a minor thing."],
}
GREETINGS = ["", "", "Hello, ", "Hi, ", "Dear support, ", "Good morning, "]


def make(numbers, words):
    product = f"{numbers.choice(words['first'])} {numbers.choice(words['second'])}"
    category = numbers.choice(["billing", "account", "bug", "performance", "shipping", "feature"])
    priority = numbers.choice(["high", "normal", "low"])
    issue = numbers.choice(words[category]).format(p=product)
    question = issue.startswith(("could", "can", "how", "when", "where", "are you"))
    sentences = [issue[0].upper() + issue[1:] + ("?" if question else ".")]
    if priority != "normal":
        # The urgency stands last or first, as people write it.
        sentences.insert(numbers.choice([0, 1, 1]), numbers.choice(words[priority]))
    greeting = numbers.choice(GREETINGS)
    if greeting:
        first = sentences[0]
        sentences[0] = greeting + (first if first.startswith(("I ", product)) else first[0].lower() + first[1:])
    if numbers.random() < 0.3:
        sentences.append(f"Regards, {numbers.choice(words['writer'])}")
    answer = {"category": category, "priority": priority, "product": product}
    return f"Ticket: {' '.join(sentences)}\nJSON:", f" {json.dumps(answer)}"


if __name__ == "__main__":
    dataset.write(make, TRAIN, HELD_OUT, TASK)
