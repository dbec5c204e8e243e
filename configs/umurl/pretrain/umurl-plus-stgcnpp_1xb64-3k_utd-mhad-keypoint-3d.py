# ST-GCN++ in place of UmURL's encoder; its schedule was not tuned.
_base_ = [
    './umurl-plus_1xb64-3k_utd-mhad-keypoint-3d.py',
    '../../_base_/models/stgcnpp.py'
]

model = dict(
    backbone=dict(_base_.encoder, **_base_.skeleton, _delete_=True))
