#!/usr/bin/env python3
"""Questions about a small schema, and the SQL that answers them. Usage: text_to_sql.py data/text-to-sql"""

import re

import dataset

TASK = """
# text-to-sql

Turns a question about one or two tables into one SQL statement: filters, order and limit, counts, aggregates, groups and joins.
The prompt is the schema, one table per line, then the question, then `SQL:`.

```text
Table: books(id, title, author, pages)
Question: Show the title of all books with pages above 300.
SQL:
```
"""

# One schema per line: its table and the word for one row; its columns with two or three values or a range; a table it refers to, the
# word for one row there, and a column there.
TRAIN = """
books book | title: Low Tide, The Red Door; author: Ines Vogel, Tom Hart; genre: crime, poetry; pages: 80-900; price: 5-60 | publishers publisher name
employees employee | name: Mara Lind, Paul Okoro; city: Lyon, Porto; department: sales, legal; salary: 20000-90000; age: 18-66 | offices office country
orders order | status: open, shipped, returned; currency: EUR, USD; total: 10-900; items: 1-30 | customers customer name
flights flight | airline: Nordair, Blue Wing; origin: Oslo, Rome; destination: Cairo, Lima; distance: 200-9000; seats: 20-400 | planes plane model
songs song | artist: The Lanterns, Ada Moon; album: Glass, Northern; language: French, Swahili; duration: 60-600; plays: 100-90000 | labels label name
houses house | street: Mill Lane, Oak Road; colour: white, yellow; heating: gas, wood; rooms: 1-12; rent: 300-4000 | owners owner surname
students student | surname: Berg, Costa; course: biology, history; hometown: Ghent, Turin; grade: 1-10; credits: 5-180 | teachers teacher name
cars car | brand: Volta, Kestrel; fuel: diesel, electric; body_type: van, coupe; mileage: 1000-200000; top_speed: 90-300 | garages garage address
recipes recipe | title: Onion Soup, Plum Cake; cuisine: Thai, Greek; course: dessert, starter; calories: 80-1200; cooking_time: 5-180 | cooks cook name
patients patient | surname: Novak, Iyer; ward: north, east; blood_type: A, B; weight: 40-140; temperature: 35-41 | doctors doctor surname
movies movie | director: Lena Fox, Omar Said; genre: drama, western; studio: Birch, Lumen; budget: 100-9000; rating: 1-10 | actors actor name
sensors sensor | location: roof, cellar; vendor: Acto, Mirel; unit: volt, pascal; battery: 0-100; error_count: 0-50 | buildings building code
parks park | region: coast, highlands; climate: dry, humid; area: 10-9000; visitors: 100-90000 | rangers ranger name
invoices invoice | client: Orbit Ltd, Fern Foods; state: paid, overdue; amount: 10-9000; tax_rate: 0-25 | projects project title
games game | platform: console, phone; developer: Pixelkin, Two Crows; score: 1-100; players: 1-8 | leagues league region
wines wine | grape: syrah, riesling; vineyard: Sol Alto, Greyfield; vintage: 1950-2020; bottle_price: 4-400 | cellars cellar parish
shipments shipment | carrier: Swift, Arrow Post; port: Hull, Genoa; weight: 1-2000; insured_value: 10-9000 | warehouses warehouse city
dogs dog | breed: beagle, poodle; coat: black, spotted; tail_length: 2-60; birth_year: 2005-2024 | breeders breeder phone
"""
HELD_OUT = """
ships ship | captain: Ruth Amsel, Jon Pike; flag: Malta, Panama; cargo_type: grain, steel; length: 20-400; crew_size: 3-90 | harbours harbour dockmaster
bridges bridge | river: Tagus, Elbe; material: stone, concrete; height: 5-300; build_year: 1800-2020 | architects architect bureau
plants plant | species: fern, cactus; soil: sand, clay; leaf_count: 1-500; height: 2-400 | gardens garden keeper
tickets ticket | agent: Noor Ali, Kim Bauer; queue: hardware, billing; response_time: 1-900; priority: 1-5 | teams team manager
museums museum | town: Bruges, Siena; theme: maps, trains; entry_fee: 1-40; exhibits: 10-5000 | curators curator email
bicycles bicycle | maker: Velora, Stork; frame: carbon, bamboo; gears: 1-30; wheel_size: 12-29 | riders rider nickname
"""


def schemas(lines):
    """Returns a list of (table, one row's word, {text column: values}, {number column: (low, high)}, (table, one row's word, column))."""
    found = []
    for line in lines.strip().splitlines():
        subject, columns, reference = line.split(" | ")
        texts, amounts = {}, {}
        for column in columns.split("; "):
            name, values = column.split(": ")
            if re.fullmatch(r"\d+-\d+", values):
                amounts[name] = tuple(int(bound) for bound in values.split("-"))
            else:
                texts[name] = values.split(", ")
        found.append((*subject.split(), texts, amounts, reference.split()))
    return found


def phrase(column):
    return column.replace("_", " ")


def condition(numbers, texts, amounts):
    """Returns (words, SQL) of one condition."""
    if numbers.random() < 0.5:
        column = numbers.choice(list(texts))
        value = numbers.choice(texts[column])
        words = numbers.choice(["whose {c} is {v}", "where the {c} is {v}", "with {c} {v}"])
        return words.format(c=phrase(column), v=value), f"{column} = '{value}'"
    column = numbers.choice(list(amounts))
    value = numbers.randint(*amounts[column])
    words, sign = numbers.choice(
        [
            ("with {c} above {v}", ">"),
            ("whose {c} is more than {v}", ">"),
            ("with {c} below {v}", "<"),
            ("whose {c} is less than {v}", "<"),
            ("with {c} of at least {v}", ">="),
            ("with {c} of at most {v}", "<="),
        ]
    )
    return words.format(c=phrase(column), v=value), f"{column} {sign} {value}"


def where(numbers, texts, amounts):
    """Returns (words, SQL) of no, one or two conditions."""
    count = numbers.choice([0, 1, 1, 1, 2])
    found = []
    while len(found) < count:
        candidate = condition(numbers, texts, amounts)
        if all(candidate[1].split()[0] != other.split()[0] for _, other in found):
            found.append(candidate)
    words, sql = " and ".join(w for w, _ in found), " AND ".join(s for _, s in found)
    return (f" {words}", f" WHERE {sql}") if found else ("", "")


def single(numbers, table, texts, amounts):
    """Returns (question, SQL) over one table."""
    text, amount = numbers.choice(list(texts)), numbers.choice(list(amounts))
    label, measure = phrase(text), phrase(amount)
    words, filters = where(numbers, texts, amounts)
    kind = numbers.choice(["all", "column", "count", "top", "aggregate", "group", "grouped aggregate"])
    if kind == "all":
        questions = [f"Show all {table}{words}.", f"Find the {table}{words}.", f"Which {table} are there{words}?"]
        sql = f"SELECT * FROM {table}{filters}"
    elif kind == "column":
        questions = [
            f"What is the {label} of the {table}{words}?",
            f"List the {label} of all {table}{words}.",
            f"Show the {label} of all {table}{words}.",
        ]
        sql = f"SELECT {text} FROM {table}{filters}"
    elif kind == "count":
        questions = [f"How many {table} are there{words}?", f"Count the {table}{words}."]
        sql = f"SELECT COUNT(*) FROM {table}{filters}"
    elif kind == "top":
        count = numbers.randint(2, 20)
        best, order = numbers.choice([("highest", "DESC"), ("largest", "DESC"), ("lowest", "ASC"), ("smallest", "ASC")])
        questions = [f"Show the {count} {table} with the {best} {measure}."]
        sql = f"SELECT * FROM {table} ORDER BY {amount} {order} LIMIT {count}"
    elif kind == "aggregate":
        word, function = numbers.choice([("average", "AVG"), ("total", "SUM"), ("highest", "MAX"), ("lowest", "MIN")])
        questions = [f"What is the {word} {measure} of the {table}{words}?", f"Give the {word} {measure} of all {table}{words}."]
        sql = f"SELECT {function}({amount}) FROM {table}{filters}"
    elif kind == "group":
        questions = [f"How many {table} are there per {label}?", f"Count the {table} for each {label}."]
        sql = f"SELECT {text}, COUNT(*) FROM {table} GROUP BY {text}"
    else:
        word, function = numbers.choice([("average", "AVG"), ("total", "SUM")])
        questions = [
            f"What is the {word} {measure} of the {table} per {label}?",
            f"Give the {word} {measure} for each {label} of the {table}.",
        ]
        sql = f"SELECT {text}, {function}({amount}) FROM {table} GROUP BY {text}"
    return numbers.choice(questions), sql


def joined(numbers, table, one, columns, other, other_one, other_column):
    """Returns (question, SQL) over two tables."""
    column = numbers.choice(columns)
    questions = [
        f"Show the {phrase(column)} of each {one} with the {phrase(other_column)} of its {other_one}.",
        f"List the {phrase(column)} of all {table} together with the {phrase(other_column)} of the {other_one}.",
    ]
    sql = f"SELECT {table}.{column}, {other}.{other_column} FROM {table} JOIN {other} ON {table}.{other_one}_id = {other}.id"
    return numbers.choice(questions), sql


def make(numbers, words):
    table, one, texts, amounts, (other, other_one, other_column) = numbers.choice(words)
    columns = [*texts, *amounts]
    numbers.shuffle(columns)
    if numbers.random() < 0.2:
        schema = f"Table: {table}(id, {', '.join(columns)}, {other_one}_id)\nTable: {other}(id, {other_column})"
        question, sql = joined(numbers, table, one, columns, other, other_one, other_column)
    else:
        schema = f"Table: {table}(id, {', '.join(columns)})"
        question, sql = single(numbers, table, texts, amounts)
    return f"{schema}\nQuestion: {question}\nSQL:", f" {sql};"


if __name__ == "__main__":
    dataset.write(make, schemas(TRAIN), schemas(HELD_OUT), TASK)
