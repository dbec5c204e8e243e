_base_ = './umurl-linear_1xb512-150e_ntu60-xsub-keypoint-3d.py'

model = dict(backbone=dict(modalities=('joint', 'motion')))
