"""One table per export that teams have: which of its headings mean what.

A new export is one new file here with a `SOURCE`; nothing else changes. `agents.library.exports` reads them.
"""
