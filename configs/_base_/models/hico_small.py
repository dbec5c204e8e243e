_base_ = './hico.py'

# For sets of some hundred clips; ours. A longer queue would hold each clip
# several times.
small = dict(queue_size=256)
model = dict(
    backbone=dict(embed_dims=64),
    momentum=0.01,
    neck=dict(hidden_channels=128),
    heads=dict(
        clip=small, part=small, temporal=small, spatial=small, instance=small))
