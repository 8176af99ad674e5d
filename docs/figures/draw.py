#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Draws the figures of docs/routing.md: NAME.tsv becomes NAME.svg, bars on a scale of powers of ten.

    docs/figures/draw.py            writes them beside this file
    docs/figures/draw.py --check    tells which would change, and exits with 1 if any would
"""
import math
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
COLOURS = ('#9aa5b1', '#c9b458', '#7fa7c9', '#b08bbb', '#2f855a')
LEFT, RIGHT, BAR, GAP, TOP, AXIS = 190, 470, 11, 12, 34, 26
FIGURES = {'choice': ('ms for 99 % of the answers', 100, 10000), 'quarantine': ('% of requests that fail', 0.01, 100)}


def read(name):
    with open(os.path.join(HERE, name + '.tsv')) as lines:
        rows = [line.rstrip('\n').split('\t') for line in lines if not line.startswith('#')]
    return rows[0][1:], [(row[0], [float(cell) for cell in row[1:]]) for row in rows[1:]]


def text(x, y, words, anchor='start', more=''):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{words}</text>'


def place(value, least, most):
    share = (math.log10(max(value, least)) - math.log10(least)) / (math.log10(most) - math.log10(least))
    return max(1.0, share * (RIGHT - 0))


def legend(columns):
    x, out = LEFT, []
    for colour, column in zip(COLOURS, columns):
        out += [f'<rect x="{x}" y="10" width="10" height="10" fill="{colour}"/>', text(x + 14, 19, column)]
        x += 24 + 7 * len(column)
    return out


def grid(least, most, bottom, unit):
    out, value = [], least
    while value <= most * 1.0001:
        x = LEFT + place(value, least, most) - (1.0 if value == least else 0)
        out += [f'<line x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{bottom}" stroke="#dddddd"/>',
                text(x, bottom + 13, f'{value:g}', 'middle')]
        value *= 10
    return out + [text(LEFT + RIGHT, bottom + 24, unit, 'end', ' font-style="italic"')]


def draw(name):
    unit, least, most = FIGURES[name]
    columns, rows = read(name)
    step = BAR * len(columns) + GAP
    bottom = TOP + step * len(rows)
    out = grid(least, most, bottom, unit) + legend(columns)
    for i, (situation, values) in enumerate(rows):
        y = TOP + i * step
        out.append(text(LEFT - 8, y + step / 2 - 2, situation, 'end'))
        for k, value in enumerate(values):
            width = place(value, least, most)
            out.append(f'<rect x="{LEFT}" y="{y + k * BAR}" width="{width:.1f}" height="{BAR - 2}" fill="{COLOURS[k]}"/>')
            out.append(text(LEFT + width + 4, y + k * BAR + BAR - 3, f'{value:g}', 'start', ' font-size="9"'))
    body = '\n'.join(out)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + RIGHT + 50}" height="{bottom + AXIS + 6}" '
            f'font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n')


def main():
    changed = []
    for name in FIGURES:
        path, drawn = os.path.join(HERE, name + '.svg'), draw(name)
        if os.path.exists(path) and open(path).read() == drawn:
            continue
        changed.append(name)
        if '--check' not in sys.argv:
            with open(path, 'w') as out:
                out.write(drawn)
    if '--check' in sys.argv and changed:
        sys.exit('would change: ' + ', '.join(changed))


main()
