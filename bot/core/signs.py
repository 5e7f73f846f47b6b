"""Signs that people type in several forms: dashes, minus signs, and the full-width forms of East Asian keyboards.

Each value is the inside of a character class of a regular expression, with the plain form first.
"""

#: A hyphen, a minus sign, and dashes of every length: phones and word processors turn one into another.
EVERY_DASH = "-\u2212\u2010\u2011\u2012\u2013\u2014\u2015\ufe58\ufe63\uff0d"
DASHES = f"\\{EVERY_DASH}"

#: Dashes that stand for two hyphens by themselves.
LONG_DASHES = "\u2013\u2014\u2015"

#: Numbers with either decimal sign, as `PLAIN` makes them readable for `float`.
DIGITS, POINTS, COLONS = "0-9\uff10-\uff19", ".\uff0e", ":\uff1a"

#: Full-width forms of the signs in numbers, and their plain forms; a comma is a decimal sign.
PLAIN = str.maketrans("\uff0c,\uff0e\uff1a\uff0b" + EVERY_DASH[1:], "...:+" + "-" * len(EVERY_DASH[1:]))
