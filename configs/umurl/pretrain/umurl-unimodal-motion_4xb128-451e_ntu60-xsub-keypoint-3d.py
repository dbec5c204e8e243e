_base_ = './umurl_4xb128-451e_ntu60-xsub-keypoint-3d.py'

# A stream of three-stream late fusion: two views of one modality.
modalities = ('motion', )
model = dict(
    modalities=modalities,
    backbone=dict(modalities=modalities),
    data_preprocessor=dict(views=dict(num_views=[2])))
