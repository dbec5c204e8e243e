_base_ = './umurl_backbone.py'

# The encoder stays as it is; one linear layer is trained on its feature.
model = dict(
    type='RecognizerGCN',
    backbone=dict(frozen=True),
    cls_head=dict(type='LinearClsHead', in_channels=2048))
