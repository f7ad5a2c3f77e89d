"""Patterns of the texts in request bodies, for the frameworks whose models are written by hand."""

_BLANK = r"\x20\xA0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000\uFEFF"
NAME = (
    rf"^[{_BLANK}]*[^\x00-\x20\x7F-\xA0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000\uFEFF][^\x00-\x1F\x7F-\x9F]*$"
)
TEXT = r"^[^\x00]*$"
TRACK = r"^mtrack_[0-9a-f]{12}$"
ADDRESS = r"^https?://[A-Za-z0-9\[][!#-;=?-\[\]_a-z~]*$"
