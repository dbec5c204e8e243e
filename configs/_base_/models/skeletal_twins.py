_base_ = './umurl_backbone.py'

# Two views of all modalities together go through one encoder and one
# projector. The weight of the redundancy and the sizes of NTU RGB+D's
# projector are those of PSTL's code; that of the instances is ours:
# configs/skeletal_twins/README.md tells what is known.
model = dict(
    type='UmURL',
    # None: all modalities of the encoder.
    branches=dict(twin=None),
    neck=dict(type='ModalityProjector', out_channels=4096),
    heads=dict(
        barlow=dict(type='BarlowTwinsHead', redundancy_weight=2e-4),
        instance=dict(type='InstanceConsistencyHead', loss_weight=100.0)))
