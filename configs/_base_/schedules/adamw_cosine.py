# A schedule to try in place of Adam with steps: see README.md. These are
# common settings, not tuned. The warm-up takes 300 steps; the cosine falls to
# 0 at the end of the run, however long it is.
adamw = dict(type='AdamW', weight_decay=0.01)
warmup_cosine = [
    dict(type='LinearLR', by_epoch=False, start_factor=0.01, end=300),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=300, eta_min=0),
]
