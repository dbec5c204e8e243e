_base_ = './umurl_4xb128-451e_ntu60-xsub-keypoint-3d.py'

# One stream of three-stream late fusion: two views of one modality. For other
# streams, use `--cfg-options model.backbone.modalities="('bone',)"`.
model = dict(backbone=dict(modalities=('joint', )))
