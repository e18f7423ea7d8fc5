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

It learns to copy names, from some 170 each of given names, family names, places and firms. New in the held-out examples are the
sentences and every name, place and firm with its kind (College, Shipping); the same are only the three spellings of a date.
"""

KINDS = ["people", "places", "organisations", "dates"]
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]


def listed(text):
    """Returns the texts between the commas; lines may break after a comma."""
    return re.split(r",\s+", text.strip())


# Long lists, so that the adapter learns to copy a name it has never seen instead of writing one that it knows. A sentence here differs
# from each held-out one in three words at least.
TRAIN = {
    "given": listed("""
        Mara, Jonas, Priya, Mateo, Sofie, Kwame, Lin, Oscar, Elif, Tariq, Ruth, Bruno, Ivana, Desmond, Noor, Felix, Wanda, Hugo, Aiko, Stella,
        Abigail, Adrian, Agnes, Ahmed, Albert, Alejandra, Alice, Amara, Amir, Andre, Angela, Antonia, Arthur, Astrid, Beatrice, Benjamin,
        Bernard, Boris, Bridget, Camille, Carlos, Caroline, Cecilia, Charles, Chiara, Christopher, Cornelia, Cyrus, Daniel, Daphne, David,
        Deborah, Dmitri, Dorothy, Edgar, Edith, Eduardo, Eleanor, Emmanuel, Erik, Esther, Eugene, Farah, Fatima, Fernando, Fiona, Florence,
        Francesca, Frederick, Gabriel, George, Gloria, Grace, Gregory, Gustav, Hannah, Haruto, Hector, Heidi, Helena, Henrik, Imani, Irene,
        Isaac, Isabel, Ivan, Jacob, Jasmine, Javier, Jennifer, Joanna, Johannes, Joseph, Judith, Julian, Kamal, Karin, Katarina, Keiko,
        Kenneth, Khalid, Larissa, Laurence, Lorenzo, Louise, Lucia, Ludwig, Magda, Malcolm, Manuel, Margaret, Martin, Matilda, Maxim,
        Meera, Miguel, Miriam, Mohammed, Monika, Nadia, Natalie, Nathan, Nicholas, Nikolai, Nina, Olga, Oliver, Olivia, Omar, Patricia,
        Patrick, Pauline, Peter, Philippa, Rachel, Rafael, Rajesh, Rebecca, Richard, Roberto, Roland, Rosa, Rupert, Sabine, Salma, Sandra,
        Sebastian, Selma, Simon, Sofia, Stefan, Sunita, Susan, Sven, Tamara, Thandi, Theodore, Thomas, Tobias, Ursula, Valentina, Vera,
        Veronica, Vincent, Walter, William, Xavier, Yasmin, Yuki, Yusuf, Zainab, Zachary, José, Zoë, René, Chloé, Søren, André, Jürgen
    """),
    "family": listed("""
        Lind, Okoro, Vogel, Castillo, Brandt, Haddad, Novak, Iyer, Moreau, Fischer, Tanaka, Quinn, Silva, Berg, Petrov, Walsh, Adeyemi, Rossi,
        Abbott, Achterberg, Aguilar, Almeida, Andersson, Bailey, Banerjee, Barnes, Becker, Bellini, Bennett, Bianchi, Blackwood, Bosch,
        Brennan, Brooks, Burke, Carvalho, Chandra, Chen, Clarke, Collins, Conti, Cooper, Crawford, Dahl, Davies, Delgado, Demir, Diallo,
        Dubois, Eriksson, Evans, Farouk, Ferrari, Fitzgerald, Fletcher, Fontaine, Forsberg, Foster, Fujimoto, Gallagher, Garcia, Gonzalez,
        Greene, Gupta, Hartmann, Hashimoto, Hayes, Hernandez, Hoffmann, Holm, Horvat, Hughes, Ibrahim, Ivanov, Jansen, Johnson, Kaplan,
        Kaminski, Kaur, Khan, Kim, Kimura, Klein, Kowalski, Krause, Laurent, Lehmann, Leroy, Lopez, Lundqvist, Mackenzie, Mahlangu, Malik,
        Mancini, Martinez, Mbeki, McCarthy, Mehta, Mendoza, Menon, Meyer, Molina, Montgomery, Morales, Murphy, Nakamura, Ndiaye, Nguyen,
        Nielsen, Nowak, Obi, O'Brien, Oliveira, Olsen, Ortiz, Papadakis, Park, Patel, Pereira, Peterson, Popescu, Price, Ramirez,
        Rasmussen, Reid, Richter, Robinson, Romano, Rosenberg, Roux, Russell, Sanchez, Santos, Schmidt, Schneider, Sharma, Shaw, Simmons,
        Singh, Sokolov, Stewart, Suzuki, Szabo, Thompson, Torres, Tremblay, Turner, Ueda, Vargas, Vasquez, Wagner, Wallace, Watanabe,
        Weber, Whitfield, Wilson, Wright, Yamamoto, Yilmaz, Young, Zhang, Zimmermann, Müller, Núñez, Östberg, Lefèvre, Gonçalves, Dvořák
    """),
    "places": listed("""
        Oslo, Porto, Lyon, Cairo, Lima, Kyoto, Ghent, Turin, Nairobi, Quebec, Perth, Warsaw, Austria, Chile, Vietnam, Scotland, Dakar, Boston,
        Jakarta, Riga, Aberdeen, Accra, Adelaide, Albania, Algiers, Amsterdam, Angola, Antwerp, Argentina, Athens, Atlanta, Auckland,
        Baghdad, Baku, Bangkok, Barcelona, Basel, Beirut, Belgrade, Bergen, Berlin, Bilbao, Bogota, Bolivia, Bologna, Bordeaux, Bratislava,
        Brazil, Bremen, Brisbane, Bristol, Brussels, Bucharest, Budapest, Bulgaria, Cambodia, Canberra, Cape Town, Caracas, Cardiff,
        Casablanca, Chicago, Cologne, Colombia, Copenhagen, Cordoba, Costa Rica, Croatia, Cuba, Cyprus, Dallas, Damascus, Detroit, Dresden,
        Dublin, Durban, Ecuador, Edinburgh, Egypt, Estonia, Ethiopia, Finland, Florence, France, Genoa, Ghana, Glasgow, Gothenburg, Granada,
        Greece, Guatemala, Hamburg, Havana, Helsinki, Honduras, Houston, Hungary, India, Innsbruck, Istanbul, Jamaica, Japan, Jordan,
        Kampala, Karachi, Kenya, Krakow, Kuwait, Lagos, Lahore, Latvia, Leeds, Leipzig, Liverpool, Lithuania, Ljubljana, London, Los Angeles,
        Luxembourg, Madrid, Malaga, Malaysia, Manchester, Manila, Marseille, Melbourne, Mexico City, Miami, Milan, Montreal, Morocco,
        Moscow, Mozambique, Mumbai, Munich, Namibia, Naples, Nepal, New Zealand, Nice, Nigeria, Norway, Osaka, Ottawa, Palermo, Panama,
        Paris, Philadelphia, Portland, Prague, Rotterdam, Salzburg, San Diego, Santiago, Sarajevo, Seattle, Senegal, Seoul, Shanghai,
        Singapore, Slovenia, Sofia, South Africa, Stockholm, Sweden, Sydney, Tallinn, Tanzania, Thailand, Tokyo, Toronto, Toulouse, Trieste,
        Uganda, Uruguay, Utrecht, Valencia, Vancouver, Venice, Vienna, Vilnius, Wellington, Zagreb, Zambia, Zurich, Málaga, São Paulo
    """),
    "firm": listed("""
        Nordwind, Brightwater, Lumen, Harbour, Redstone, Olive, Vertex, Cascade, Pioneer, Silver Fern, Atlas, Meridian, Copperfield,
        Blue Heron, Apex, Acorn, Amber, Anchor, Arrowhead, Aspen, Aurora, Beacon, Birchwood, Bluebell, Boulder, Bramble, Broadleaf, Calypso,
        Cardinal, Cedar Hill, Chestnut, Cobalt, Comet, Compass, Condor, Coral Bay, Cornerstone, Crescent, Crystal Lake, Cypress, Dandelion,
        Deepwater, Delta, Driftwood, Eagle Rock, Eastbridge, Eclipse, Element, Elm Street, Emerald, Equinox, Fairview, Falcon, Firefly,
        Flint, Foxglove, Galaxy, Gateway, Glacier, Golden Gate, Goldfinch, Greenfield, Halcyon, Hawthorn, Hazel, Heather, Helix, High Tower,
        Highland, Horizon, Hummingbird, Indigo, Iron Bridge, Ironwood, Ivory, Jasper, Keystone, Kingfisher, Lakeside, Lantern, Lavender,
        Lighthouse, Lion Gate, Lotus, Magnolia, Maple Leaf, Marigold, Midland, Millstone, Monarch, Moonstone, Nautilus, Nightingale,
        Nimbus, Oakwood, Obsidian, Old Mill, Omega, Opal, Orchard, Orion, Osprey, Palisade, Paragon, Pelican, Phoenix, Pinecone, Polaris,
        Prism, Quantum, Quarry, Quicksilver, Rainbow, Raven, Red Maple, Ridgeway, River Bend, Riverside, Rosewood, Rowan, Sandpiper,
        Sapphire, Saffron, Seaview, Sentinel, Sequoia, Sierra, Skylark, Snowdrop, Solstice, Southfield, Spectrum, Spring Meadow, Stonebridge,
        Summit, Sunflower, Swan Lake, Sycamore, Tamarind, Tempest, Thistle, Thornbury, Tidewater, Topaz, Trident, Tulip, Twin Oaks, Umbra,
        Vanguard, Velvet, Violet, Waterfall, Westbrook, White Horse, Whitewater, Wildwood, Willow, Windmill, Wolf Creek, Zenith, Zephyr
    """),
    "form": listed("""
        Labs, Bank, University, Foundation, Airlines, Motors, Press, Institute, Robotics, Energy, Academy, Analytics, Architects, Bakery,
        Breweries, Capital, Chemicals, Clinic, Consulting, Council, Dairy, Design, Electric, Electronics, Engineering, Farms, Films, Foods,
        Gallery, Games, Group, Holdings, Hotels, Industries, Instruments, Legal, Logistics, Machines, Media, Mining, Museum, Music,
        Networks, Oil, Partners, Pharma, Publishing, Railways, Records, Research, School, Security, Software, Solutions, Sports, Steel,
        Studios, Technologies, Telecom, Textiles, Theatre, Tools, Toys, Trading, Travel, Trust, Ventures, Water, Works
    """),
    "sentences": [
        "On {d}, {p} of {o} flew to {l}.",
        "{p} became a member of {o} on {d}.",
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
        "{p} was born on {d} in {l}.",
        "A letter to {p} arrived in {l}.",
        "Between {d} and {d}, {p} lived in {l}.",
        "{o} hired {p}.",
        "The weather was mild and the sea was calm.",
        "{p} wrote the report, and {p} read it.",
        "From {d} on, {o} is led by {p}.",
        "We drove through {l} without a stop.",
        "{o} published its results on {d}.",
        "The prize went to {p} from {l}.",
        "On {d}, {p} called {p} from {l}.",
        "{p} interviewed {p} for {o}.",
        "In {l}, {p} got married to {p} on {d}.",
        "{p} introduced {p} to {p}.",
        "{p} replaced {p} as the head of {o} on {d}.",
        "{p} and {p} run {o} together.",
        "{p} of {o} spoke in {l}, but not in {l}.",
        "{p} of {o} wrote to {p} of {o}.",
        "{p} carried a suitcase from {l} to {l}.",
        "{p} lent a bicycle to {p} in {l}.",
        "{p} drove from {l} to {l} with {p}.",
        "{p} resigned from {o} on {d}.",
        "{p} studied in {l}, {l} and {l}.",
        "{p} retired on {d}.",
        "{p}, who lives in {l}, knows {p}.",
        "A lawsuit of {o} against {o} began on {d}.",
        "The merger of {o} and {o} took place on {d}.",
        "{o} supplies {o} and {o}.",
        "{o} lost a court case against {o} in {l}.",
        "{o} closed its warehouse in {l} and hired {p}.",
        "{o} shipped the machines from {l} to {l}.",
        "{o} was founded by {p} on {d}.",
        "{o} will build a factory in {l} and another in {l}.",
        "{o} has paid {p} since {d}.",
        "A concert by {p} in {l} was cancelled.",
        "The tower that {p} designed for {l} fell down.",
        "The museum in {l} was paid for by {o}.",
        "The road from {l} to {l} was flooded on {d}.",
        "The harbour of {l} was empty.",
        "The contract between {o} and {o} ends on {d}.",
        "The keys were found by {p} on {d}.",
        "The director of {o}, {p}, lives in {l}.",
        "The next stop is {l}, then comes {l}.",
        "The market in {l} was crowded until {d}.",
        "On {d}, {o} thanked {p} and {p}.",
        "On {d}, {p} sold the house in {l}.",
        "On {d} nothing happened.",
        "Since {d}, {p} has lived in {l}.",
        "Since {d}, {o} has owned a hotel in {l}.",
        "Until {d}, {p} taught at {o}.",
        "Before {d}, {o} was a part of {o}.",
        "In {l}, {p} and {p} waited for {p}.",
        "In {l} it rained from {d} to {d}.",
        "At {o}, {p} reports to {p}.",
        "Both {o} and {o} trust {p}.",
        "Neither {p} nor {p} has been to {l}.",
        "Did {p} really turn down {o}?",
        "When does {p} arrive in {l}?",
        "Ask {p} about the trip to {l}.",
        "There was snow in {l}, {l} and {l} on {d}.",
        "My aunt reads the newspaper every morning.",
        "Nobody knew who had broken the window.",
        "Our neighbours in {l} have a new dog.",
        "She saw {p} at the station on {d}.",
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
    return f"Text: {sentence}\nEntities:", f" {json.dumps(found, ensure_ascii=False)}"


if __name__ == "__main__":
    dataset.write(make, TRAIN, HELD_OUT, TASK)
