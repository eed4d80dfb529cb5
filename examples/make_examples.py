#!/usr/bin/env python3
"""Makes stores.csv and words.csv, made-up data for docs/guide.md, in the folder given (default: where this file is)."""

import math
import pathlib
import random
import sys

N_STORES, MOST_ROWS = 60, 80
N_WORDS, N_DIMENSIONS = 400, 12
TOPICS = ["food", "music", "sport"]


def chance(rng, z):
    return int(rng.random() < 1 / (1 + math.exp(-z)))


def write(path, header, rows):
    path.write_text("\n".join([",".join(header), *(",".join(map(str, row)) for row in rows)]) + "\n")


def stores(rng):
    """Purchases: whether the goods came back depends on price and discount in another way in each store."""
    rows = []
    for store in range(N_STORES):
        taste = [rng.gauss(0, 1) for _ in range(4)]
        for _ in range(rng.randint(1, MOST_ROWS)):
            price, discount, online = round(rng.uniform(5, 200), 2), rng.choice([0, 10, 20, 50]), rng.randint(0, 1)
            x = [1, (price - 100) / 50, (discount - 20) / 20, 2 * online - 1]
            returned = chance(rng, 1.5 * sum(t * v for t, v in zip(taste, x)))
            rows.append([f"s{store:02}", price, discount, online, rng.randint(1, 5), returned])
    rng.shuffle(rows)
    return ["store", "price", "discount", "online", "quantity", "returned"], rows


def words(rng):
    """Embeddings of words, with what is known of each word; some labels are missing."""
    plural_of, verb_of = ([rng.gauss(0, 0.6) for _ in range(N_DIMENSIONS)] for _ in range(2))
    centres = [[rng.gauss(0, 1.2) for _ in range(N_DIMENSIONS)] for _ in TOPICS]
    rows = []
    for _ in range(N_WORDS):
        topic, plural, verb = rng.randrange(len(TOPICS)), rng.randint(0, 1), rng.randint(0, 1)
        vector = [
            round(rng.gauss(0, 1) + centres[topic][k] + plural * plural_of[k] - verb * verb_of[k], 3)
            for k in range(N_DIMENSIONS)
        ]
        labels = [("no", "yes")[plural], ("no", "yes")[verb], TOPICS[topic]]
        rows.append([*vector, *(label if rng.random() < 0.9 else "" for label in labels)])
    return [*(f"e{k}" for k in range(N_DIMENSIONS)), "plural", "verb", "topic"], rows


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__)
    folder = folder if folder.is_dir() else folder.parent
    write(folder / "stores.csv", *stores(random.Random(1)))
    write(folder / "words.csv", *words(random.Random(2)))


if __name__ == "__main__":
    main()
