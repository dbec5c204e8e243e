_base_ = './umurl_backbone.py'

# The online network sees one view, the target another one. The formula and
# the temperatures are ReSSL's; queue, momentum and projector are ours:
# configs/srcl/README.md tells what is known.
model = dict(
    type='OnlineTarget',
    momentum=0.01,
    # Without batch norms, all similarities become the same.
    neck=dict(type='ModalityProjector', out_channels=128),
    heads=dict(
        relation=dict(
            type='RelationConsistencyHead',
            channels=128,
            queue_size=256,
            temperature=0.1,
            target_temperature=0.04)))
