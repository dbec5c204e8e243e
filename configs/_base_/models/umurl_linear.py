_base_ = './umurl_backbone.py'

# The encoder is frozen; one linear layer on its feature is trained.
model = dict(
    type='RecognizerGCN',
    backbone=dict(frozen=True),
    cls_head=dict(type='LinearClsHead', in_channels=2048))
