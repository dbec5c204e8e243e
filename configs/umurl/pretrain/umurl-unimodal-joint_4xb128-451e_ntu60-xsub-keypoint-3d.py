_base_ = './umurl_4xb128-451e_ntu60-xsub-keypoint-3d.py'

# A stream of three-stream late fusion: two views of one modality.
modalities = ('joint', )
model = dict(modalities=modalities, backbone=dict(modalities=modalities))

train_pipeline = _base_.train_pipeline
train_pipeline[1].num_views = [2]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
