_base_ = './umurl-linear_1xb512-150e_pkummd2-xsub-keypoint-3d.py'

model = dict(backbone=dict(modalities=('motion', )))
