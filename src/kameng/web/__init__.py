"""What the three faces share of HTTP: sessions, headers, errors, assets, covers, form pieces.

Below the faces, above the domain: it may import any domain app, and no face.
"""
