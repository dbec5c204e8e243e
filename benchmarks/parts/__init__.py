"""The parts that ``benchmark.py`` measures."""

# The module of each part. A function with the name of the part maps
# ``Settings`` to a list of ``Row``.
PARTS = dict(
    data='making_views',
    forward='training',
    step='training',
    memory='training',
    methods='methods',
    probe='evaluation',
    retrieval='evaluation',
    loader='loading',
    loop='loading')
