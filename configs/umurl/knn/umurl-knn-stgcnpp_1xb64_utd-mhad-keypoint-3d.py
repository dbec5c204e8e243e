_base_ = [
    './umurl-knn_1xb64_utd-mhad-keypoint-3d.py',
    '../../_base_/models/stgcnpp.py'
]

model = dict(
    backbone=dict(_base_.encoder, **_base_.skeleton, _delete_=True))
