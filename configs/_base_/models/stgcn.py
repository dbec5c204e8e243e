# ST-GCN as in MMAction2's configs, for several modalities. A config takes it
# with `model = dict(backbone=dict(_base_.encoder, _delete_=True))`.
encoder = dict(
    type='EarlyFusionEncoder',
    trunk=dict(type='STGCN', graph_cfg=dict(mode='stgcn_spatial')))
