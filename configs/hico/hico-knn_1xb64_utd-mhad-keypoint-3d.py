_base_ = [
    '../umurl/knn/umurl-knn_1xb64_utd-mhad-keypoint-3d.py',
    '../_base_/models/hico_encoder.py'
]

model = dict(
    backbone=dict(
        _base_.encoder, **_base_.skeleton, embed_dims=64, _delete_=True))
