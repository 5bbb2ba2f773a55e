"""SHIP and the few-shot methods that it is compared with, as trainers for Dassl.

`import ship_dassl.ship` (in a checkout that it is copied into: `import trainers.ship`) registers SHIP,
`import ship_dassl.all` all methods; importing this package registers nothing.
"""
