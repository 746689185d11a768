"""What is sold: categories, products, variants, each site's listings and price rules, search.

Promise: the main site's goods reach every sub-site by rule plus sparse override, never by copied
rows; every change that can move a price or a listing grows the site's catalogue version.
"""
