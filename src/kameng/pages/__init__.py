"""How a shop looks: its pages made of sections, its theme, its pictures, and one-click decoration.

Promise: what an operator makes is data, never markup or script of their own; a draft is never lost
and never overwrites another's; publishing moves a pointer to a revision that stays for good; a site
that has changed nothing keeps no row.
"""
