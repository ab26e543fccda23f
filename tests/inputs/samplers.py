"""Prints the rows that the kept sampler draws, from the papers' description and not from its code.

    python samplers.py
"""

MASK = (1 << 64) - 1


class SplitMix:
    def __init__(self, state):
        self.state = state

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
        return mixed ^ (mixed >> 31)


def epoch(weights, seed, number):
    draw = SplitMix(SplitMix(SplitMix(seed).next() ^ number).next())
    rows = [row for row, weight in enumerate(weights) if weight > 0]
    picked = []
    for _ in rows:
        at, end = (draw.next() >> 11) / 2**53 * sum(weights), 0.0
        for row in rows:
            end += weights[row]
            if at < end:
                picked.append(row)
                break
    return picked


print([epoch([1.0, 2.0, 0.5, 0.0, 4.0], 7, number) for number in range(3)])
